//! What RFC 4511 and the clients that rely on it expect, of slapd and of the gate alike. [`INDEX`] says where each
//! section is tested: tables of this folder are sent straight to slapd and through the gate, and must tell the same.

mod abandon;
mod binds;
mod clients;
mod exchange;
mod malformed;
mod pipelining;
mod requests;
mod searches;
mod starttls;
mod updates;

use std::path::Path;

/// Sections and the tests that cover them: module of `tests/it`, name.
const INDEX: &[(&str, &[(&str, &str)])] = &[
    (
        "RFC 4511 4.1.1 message envelope",
        &[
            ("rfc4511/malformed", "what_cannot_be_read_ends_that_session_and_no_other"),
            ("rfc4511/malformed", "what_can_be_answered_is_answered_with_protocol_error"),
        ],
    ),
    (
        "4.1.1.1 message ids",
        &[
            ("rfc4511/abandon", "ids_that_cannot_be_answered_end_the_session"),
            ("rfc4511/abandon", "an_id_in_use_is_not_used_twice"),
            ("rfc4511/pipelining", "each_request_gets_its_own_answer"),
        ],
    ),
    (
        "4.1.2 to 4.1.8 strings, OIDs, names, attributes, rules",
        &[
            ("rfc4511/searches", "base_scope_and_limits"),
            ("rfc4511/searches", "requested_attributes"),
            ("rfc4511/updates", "compare"),
        ],
    ),
    (
        "4.1.9 results",
        &[
            ("rfc4511/searches", "base_scope_and_limits"),
            ("bypass/operations", "a_refusal_tells_nothing_of_what_is_there"),
        ],
    ),
    (
        "4.1.10 referrals",
        &[
            ("bypass/referrals", "referrals_do_not_lead_around_the_gate"),
            ("bypass/referrals", "referrals_lead_here_where_that_is_configured"),
        ],
    ),
    (
        "4.1.11 controls",
        &[
            ("rfc4511/requests", "controls"),
            ("bypass/controls", "unknown_ones_are_refused_when_critical_and_dropped_when_not"),
        ],
    ),
    (
        "4.2 bind, RFC 4513 5.1",
        &[
            ("rfc4511/requests", "binds_and_extended_operations"),
            ("rfc4511/binds", "the_identity_is_the_last_that_was_confirmed"),
            ("rfc4511/binds", "a_failed_rebind_leaves_nothing_of_the_old_identity"),
            ("rfc4511/binds", "a_name_without_a_password_is_nobody"),
        ],
    ),
    (
        "4.2.1 nothing else while a bind goes on",
        &[
            ("rfc4511/pipelining", "nothing_passes_a_bind"),
            ("rfc4511/pipelining", "a_bind_waits_for_what_is_outstanding"),
        ],
    ),
    (
        "4.2 SASL, RFC 4513 5.2",
        &[("sasl", "passwords_pass_step_by_step"), ("sasl/external", "a_certificate_is_asserted_to_the_directory")],
    ),
    ("4.3 unbind", &[("rfc4511/requests", "binds_and_extended_operations")]),
    (
        "4.4.1 notice of disconnection",
        &[
            ("rfc4511/starttls", "an_idle_session_is_ended_and_a_busy_one_is_not"),
            ("upstream", "lost_after_bind_the_client_is_told_and_nobody_else_takes_over"),
        ],
    ),
    ("4.5.1 search, RFC 4526", &[("rfc4511/searches", "base_scope_and_limits"), ("rfc4511/searches", "filters")]),
    ("4.5.1.8 requested attributes, RFC 3673, RFC 4529", &[("rfc4511/searches", "requested_attributes")]),
    ("4.5.2 results", &[("bypass/search", "entries_that_nothing_redacts_come_octet_for_octet")]),
    ("4.5.3 continuation references", &[("bypass/referrals", "referrals_do_not_lead_around_the_gate")]),
    ("4.6 modify, RFC 4525", &[("rfc4511/updates", "modify")]),
    ("4.7 add, 4.8 delete", &[("rfc4511/updates", "add_and_delete")]),
    ("4.9 modify DN", &[("rfc4511/updates", "rename")]),
    ("4.10 compare", &[("rfc4511/updates", "compare")]),
    (
        "4.11 abandon",
        &[
            ("rfc4511/requests", "an_abandon_is_not_answered"),
            ("rfc4511/abandon", "abandon_is_mapped_and_ends_one_operation"),
            ("rfc4511/abandon", "abandon_of_a_bind_is_ignored"),
        ],
    ),
    (
        "4.12 extended operations",
        &[
            ("rfc4511/requests", "binds_and_extended_operations"),
            ("bypass/controls", "extended_operations_reach_the_directory_only_where_they_are_configured"),
        ],
    ),
    ("4.13 intermediate responses", &[("bypass/replication", "a_sync_of_what_is_open_goes_on_and_hears_of_changes")]),
    (
        "4.14 StartTLS, RFC 4513 3",
        &[
            ("rfc4511/starttls", "before_it_only_the_root_dse_is_served"),
            ("rfc4511/starttls", "octets_behind_the_request_close_the_connection"),
            ("rfc4511/starttls", "it_cannot_be_begun_twice"),
        ],
    ),
    (
        "5.1 encoding, 5.3 termination",
        &[
            ("rfc4511/malformed", "long_forms_of_lengths_are_read"),
            ("rfc4511/malformed", "a_message_that_ends_early_is_nobodys_harm"),
        ],
    ),
    (
        "RFC 4512 5.1 root DSE",
        &[("rfc4511/searches", "the_root_dse"), ("bypass/trees", "the_root_dse_says_what_the_gate_lets_through")],
    ),
    (
        "RFC 2696 paged results",
        &[
            ("rfc4511/requests", "paged_results"),
            ("bypass/search", "pages_are_decided_one_by_one_and_hide_what_is_hidden"),
        ],
    ),
    ("RFC 2891 sorting", &[("rfc4511/requests", "controls"), ("rfc4511/requests", "sorted_results")]),
    ("RFC 3062 password, RFC 4532 who am I", &[("rfc4511/requests", "binds_and_extended_operations")]),
    ("RFC 3296 ManageDsaIT, RFC 3672 subentries", &[("rfc4511/requests", "controls")]),
    ("RFC 3876 matched values, RFC 4527 reads, RFC 4528 assertion", &[("rfc4511/requests", "controls")]),
    ("RFC 3909 cancel", &[("rfc4511/abandon", "cancel_is_mapped_and_answered")]),
    ("RFC 4370 proxied authorization", &[("bypass/controls", "nobody_speaks_for_somebody_else")]),
    ("RFC 4533 sync", &[("bypass/replication", "a_real_consumer_is_served")]),
];

#[test]
fn every_section_has_tests_that_exist() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    for (section, tests) in INDEX {
        assert!(!tests.is_empty(), "{section}");
        for (module, name) in *tests {
            let text = [format!("{module}.rs"), format!("{module}/mod.rs")]
                .iter()
                .find_map(|file| std::fs::read_to_string(folder.join(file)).ok());
            let text = text.unwrap_or_else(|| panic!("{section}: no module {module}"));
            assert!(text.contains(&format!("#[test]\nfn {name}()")), "{section}: no test {module}::{name}");
        }
    }
}

//! That the command line is what it is meant to be, without a gate.

use super::*;
use clap::CommandFactory;
use clap::error::ErrorKind;

fn parse(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(line.split(' '))
}

#[test]
fn the_definition_is_sound() {
    Cli::command().debug_assert();
}

/// Every command's help, as it is shown in 100 columns. When it is changed on purpose, the
/// assertion's left side is what `help.txt` must hold.
#[test]
fn help_is_as_it_was_written() {
    let mut command = Cli::command().term_width(100);
    command.build();
    let mut text = command.render_help().to_string();
    helps(&mut command, "", &mut text);
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    let written: Vec<&str> = include_str!("help.txt").lines().collect();
    assert!(lines == written, "{}", lines.join("\n"));
}

fn helps(command: &mut clap::Command, above: &str, text: &mut String) {
    for subcommand in command.get_subcommands_mut().filter(|subcommand| subcommand.get_name() != "help") {
        let name = format!("{above}{}", subcommand.get_name());
        let help = subcommand.render_help().to_string();
        assert!(help.contains("Example"), "{name} shows no example");
        text.push_str(&format!("\n--- {name} ---\n{help}"));
        helps(subcommand, &format!("{name} "), text);
    }
}

#[test]
fn wrong_use_is_told_apart() {
    for (line, kind) in [
        ("tidegate", ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand),
        ("tidegate open uid=a", ErrorKind::InvalidSubcommand),
        ("tidegate lock uid=a", ErrorKind::MissingRequiredArgument),
        ("tidegate lock alice --reason x", ErrorKind::ValueValidation),
        ("tidegate extend grant-1 --reason x", ErrorKind::MissingRequiredArgument),
        ("tidegate request r --break-glass --start 2026-03-31T08:00:00Z", ErrorKind::ArgumentConflict),
        ("tidegate request", ErrorKind::MissingRequiredArgument),
        ("tidegate request r --for soon", ErrorKind::ValueValidation),
        ("tidegate request r --for -1h", ErrorKind::UnknownArgument),
        ("tidegate request r --start tomorrow", ErrorKind::ValueValidation),
        ("tidegate request r --operations search,write", ErrorKind::ValueValidation),
        ("tidegate request r --base payroll", ErrorKind::ValueValidation),
        ("tidegate request r --wait --dry-run", ErrorKind::ArgumentConflict),
        ("tidegate requests --mine --to-review", ErrorKind::ArgumentConflict),
        ("tidegate requests --state open", ErrorKind::InvalidValue),
        ("tidegate grants --active --all", ErrorKind::ArgumentConflict),
        ("tidegate roles --output xml", ErrorKind::InvalidValue),
        ("tidegate roles --as alice", ErrorKind::ValueValidation),
        ("tidegate roles --as ", ErrorKind::ValueValidation),
        ("tidegate request r --subject ", ErrorKind::ValueValidation),
        ("tidegate deny req-1", ErrorKind::MissingRequiredArgument),
        ("tidegate revoke grant-1", ErrorKind::MissingRequiredArgument),
        ("tidegate audit", ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand),
        ("tidegate audit verify --head 7", ErrorKind::ValueValidation),
        ("tidegate audit search --subject alice", ErrorKind::ValueValidation),
        ("tidegate check", ErrorKind::MissingRequiredArgument),
        ("tidegate totp --reset uid=a,dc=x", ErrorKind::MissingRequiredArgument),
        ("tidegate me --client-certificate a.pem", ErrorKind::MissingRequiredArgument),
        ("tidegate completions dos", ErrorKind::InvalidValue),
        ("tidegate explain read cn=a", ErrorKind::ValueValidation),
        ("tidegate explain search cn=a --scope all", ErrorKind::InvalidValue),
    ] {
        let error = parse(line).expect_err(line);
        assert_eq!(error.kind(), kind, "{line}");
        assert_eq!(error.exit_code(), 2, "{line}");
    }
}

#[test]
fn what_the_product_promises_is_understood() {
    for line in [
        "tidegate check --config gate.toml --output json",
        "tidegate explain --as uid=a,dc=x search ou=payroll,dc=x --scope one --filter (cn=a) --attribute cn --attribute sn",
        "tidegate explain --as  bind uid=a,dc=x",
        "tidegate roles --control run/control.sock --as uid=a,dc=x --output json",
        "tidegate request payroll-editor --reason x --subject cn=app --for 1h30m --ticket HR-1 --start 2026-03-31T08:00:00+02:00",
        "tidegate request payroll-editor --reason x --base ou=a --operations search,modify --attributes cn,sn --wait",
        "tidegate request payroll-editor --start 2026-03-31T09:00",
        "tidegate request payroll-editor --dry-run",
        "tidegate request payroll-editor --break-glass --reason x",
        "tidegate extend grant-1 --for 30m --reason x",
        "tidegate sign-off grant-1",
        "tidegate grants --unsigned",
        "tidegate lock uid=a,dc=x --reason x",
        "tidegate unlock uid=a,dc=x",
        "tidegate locks --output json",
        "tidegate notifications",
        "tidegate notifications --dead --output json",
        "tidegate notifications retry note-7f3k9q2m4x --as uid=root",
        "tidegate kill 1-2 --reason x",
        "tidegate requests --state approved --to-review",
        "tidegate show req-1",
        "tidegate show req-1 --wait",
        "tidegate totp --confirm 123456",
        "tidegate approve req-1 --reason x",
        "tidegate deny req-1 --reason x",
        "tidegate cancel req-1",
        "tidegate grants --active",
        "tidegate release grant-1",
        "tidegate revoke grant-1 --reason x",
        "tidegate sessions --config gate.toml",
        "tidegate audit verify --head 7:nxhuQgL7Kz9gyq8gwOq1Z6ZIoL9jthBeJ5T6YkwN0R0",
        "tidegate audit verify --files data/audit",
        "tidegate audit report standing --since 90d",
        "tidegate audit tail -n 5 -f --decision refused",
        "tidegate audit search --grant grant-1 --subject uid=a,dc=x --since 2h --until 2026-03-31T08:00:00Z --limit 5",
        "tidegate reload",
        "tidegate reload --control https://gate.example.com:8443 --ca ca.pem --code 123456",
        "tidegate login https://gate.example.com:8443 --name alice --password-file secret",
        "tidegate login --control https://gate.example.com",
        "tidegate logout",
        "tidegate me",
        "tidegate whoami",
        "tidegate totp",
        "tidegate totp --reset uid=a,dc=x --reason lost",
        "tidegate completions zsh",
    ] {
        parse(line).unwrap_or_else(|error| panic!("{line}: {error}"));
    }
}

#[test]
fn outcomes_have_their_exit_codes() {
    let code = |result| format!("{:?}", exit_code(result));
    let expected = |code: u8| format!("{:?}", ExitCode::from(code));
    assert_eq!(code(Ok(Outcome::Done)), expected(0));
    assert_eq!(code(Ok(Outcome::Refused)), expected(1));
    assert_eq!(code(Err(anyhow::anyhow!("it failed"))), expected(1));
    assert_eq!(code(Err(WrongUse("not so".to_owned()).into())), expected(2));
    assert_eq!(code(Ok(Outcome::NotApproved)), expected(3));
    let nobody = client::ClientError::NobodyThere { gate: "run/control.sock".to_owned(), how: "" };
    assert_eq!(code(Err(nobody.into())), expected(4));
    assert_eq!(code(Err(client::ClientError::NotAllowed("run/control.sock".into()).into())), expected(1));
    let gone = std::io::Error::from(std::io::ErrorKind::BrokenPipe);
    assert_eq!(code(Err(gone.into())), expected(0));
}

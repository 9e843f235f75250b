//! The command line: one file a command. Talks to a running gate over the control API, as anybody
//! else does; only `serve` and `demo` reach the daemon itself.
//!
//! Exit codes: 0 done, 1 refused or failed, 2 wrong use, 3 the request was not approved, 4 the gate cannot be reached.

mod approve;
mod audit;
mod cancel;
mod check;
mod client;
mod clock;
mod completions;
mod connection;
mod demo;
mod deny;
mod explain;
mod extend;
mod grants;
mod hint;
mod kill;
mod lock;
mod locks;
mod login;
mod me;
mod moment;
mod notifications;
mod output;
mod prompt;
mod release;
mod reload;
mod request;
mod requests;
mod revoke;
mod roles;
mod serve;
mod sessions;
mod show;
mod sign_off;
mod table;
mod target;
#[cfg(test)]
mod tests;
mod text;
mod tokens;
mod totp;
mod unlock;
mod view;
mod wait;
mod yaml;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// An LDAP gate that enforces just-in-time access: nobody holds standing access to what is
/// protected; people ask for a role, somebody approves, and the gate opens for so long.
#[derive(Debug, Parser)]
#[command(name = "tidegate", version)]
#[command(
    after_help = "Example: tidegate help request\n\nExit codes:\n  0  done\n  1  refused or failed\n  2  wrong use\n  3  the request was denied, cancelled, or expired\n  4  the gate cannot be reached"
)]
struct Cli {
    /// Show times in UTC [default: in the local time zone]
    #[arg(long, global = true)]
    utc: bool,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::Serve),
    Demo(demo::DemoCommand),
    Check(check::Check),
    Explain(explain::Explain),
    Roles(roles::Roles),
    Request(request::Request),
    Requests(requests::Requests),
    Show(show::Show),
    Approve(approve::Approve),
    Deny(deny::Deny),
    Cancel(cancel::Cancel),
    Grants(grants::Grants),
    Release(release::Release),
    Extend(extend::Extend),
    Revoke(revoke::Revoke),
    SignOff(sign_off::SignOff),
    Lock(lock::Lock),
    Unlock(unlock::Unlock),
    Locks(locks::Locks),
    Notifications(notifications::Notifications),
    Sessions(sessions::Sessions),
    Kill(kill::Kill),
    Audit(audit::Audit),
    Reload(reload::Reload),
    Login(login::Login),
    Logout(login::Logout),
    #[command(visible_alias = "whoami")]
    Me(me::Me),
    Totp(totp::Totp),
    Completions(completions::Completions),
}

/// What a command comes to: it was carried out, or an answer was "no", which has been shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Done,
    Refused,
    /// A request that the command waited for was denied, cancelled, or expired.
    NotApproved,
}

/// A command that was asked for wrongly in a way that only shows once it runs: exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct WrongUse(String);

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Nothing can be told to somebody whose terminal is gone.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    clock::show_in_utc(cli.utc);
    exit_code(cli.command.run())
}

fn exit_code(result: anyhow::Result<Outcome>) -> ExitCode {
    match result {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Refused) => ExitCode::from(1),
        Ok(Outcome::NotApproved) => ExitCode::from(3),
        // `tidegate roles | head`: whoever reads has had enough.
        Err(error) if output::is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            output::error(&error);
            let unreachable =
                error.downcast_ref::<client::ClientError>().is_some_and(client::ClientError::is_unreachable);
            ExitCode::from(match (error.is::<WrongUse>(), unreachable) {
                (true, _) => 2,
                (false, true) => 4,
                (false, false) => 1,
            })
        }
    }
}

impl Command {
    fn run(self) -> anyhow::Result<Outcome> {
        match self {
            Command::Serve(command) => command.run(),
            Command::Demo(command) => command.run(),
            Command::Check(command) => command.run(),
            Command::Explain(command) => command.run(),
            Command::Roles(command) => command.run(),
            Command::Request(command) => command.run(),
            Command::Requests(command) => command.run(),
            Command::Show(command) => command.run(),
            Command::Approve(command) => command.run(),
            Command::Deny(command) => command.run(),
            Command::Cancel(command) => command.run(),
            Command::Grants(command) => command.run(),
            Command::Release(command) => command.run(),
            Command::Extend(command) => command.run(),
            Command::Revoke(command) => command.run(),
            Command::SignOff(command) => command.run(),
            Command::Lock(command) => command.run(),
            Command::Unlock(command) => command.run(),
            Command::Locks(command) => command.run(),
            Command::Notifications(command) => command.run(),
            Command::Sessions(command) => command.run(),
            Command::Kill(command) => command.run(),
            Command::Audit(command) => command.run(),
            Command::Reload(command) => command.run(),
            Command::Login(command) => command.run(),
            Command::Logout(command) => command.run(),
            Command::Me(command) => command.run(),
            Command::Totp(command) => command.run(),
            Command::Completions(command) => command.run(),
        }
    }
}

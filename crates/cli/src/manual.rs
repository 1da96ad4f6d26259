//! The manual: `--help` lists every command, in groups; the same as pages and completions.

use std::{fmt::Write, fs, path::Path};

use clap::{Arg, Command, CommandFactory};
use clap_complete::Shell;

use crate::{
    args::Cli,
    failure::{Failure, at},
    output,
};

/// All commands, in the order and under the headings in which they are listed.
const GROUPS: [(&str, &[&str]); 7] = [
    ("Listen", &["search", "releases", "show", "play", "download", "downloads", "lyrics", "player"]),
    ("Keep", &["library", "playlist", "like", "unlike", "follow", "tag", "hide"]),
    ("Publish", &["profile", "publish", "withdraw", "seed"]),
    (
        "Money",
        &[
            "wallet", "chain", "tip", "tips", "thank", "offer", "invest", "notes", "payout", "refund",
            "income", "audit",
        ],
    ),
    ("Share a treasury", &["dao"]),
    ("Connect", &["daemon", "stop", "invite", "share", "open", "join", "peers", "report", "block"]),
    (
        "Look after it",
        &["status", "stats", "config", "identity", "doctor", "bench", "emulate", "completions", "man"],
    ),
];

/// Usages up to this many characters have what they do in one column; a longer one is followed by it.
const WIDEST: usize = 40;

const EXAMPLES: &str = "\
Examples:
  musicdao daemon                                run a node; then in another terminal:
  musicdao publish ~/album --tag jazz            publish a folder of songs as one release
  musicdao invite                                print a link for a friend
  musicdao join musicdao:...                     join by a friend's link
  musicdao releases --sort trending              see what there is
  musicdao play 3f9a01c2d4                       hear it; the first eight digits of an id will do
  musicdao download 3f9a01c2d4 --to ~/Music      keep the files
  musicdao seed 3f9a01c2d4                       keep it alive for others

Without a daemon a command runs a node for its own duration. `musicdao COMMAND --help` says more.";

/// Returns the command line as it is parsed and shown.
pub(crate) fn command() -> Command {
    let command = takes_negative(Cli::command().version(version()));
    let list = list(&command);
    command.help_template(format!(
        "{{about-with-newline}}\n{{usage-heading}} {{usage}}\n\n{list}Everywhere:\n{{options}}{{after-help}}"
    ))
    .after_help(EXAMPLES)
}

/// The version, and the commit where the build names one.
fn version() -> String {
    let commit = option_env!("MUSICDAO_COMMIT").map(|commit| format!(" ({commit})"));
    format!("{}{}", env!("CARGO_PKG_VERSION"), commit.unwrap_or_default())
}

/// Takes `-5` for a value, so that it is refused as one and not as an unknown option.
fn takes_negative(command: Command) -> Command {
    let values = |arg: Arg| {
        let takes = arg.get_action().takes_values();
        arg.allow_negative_numbers(takes)
    };
    command.mut_args(values).mut_subcommands(takes_negative)
}

/// Prints completions for a shell.
///
/// # Errors
/// Those of standard output.
pub(crate) fn completions(shell: Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "musicdao", &mut script);
    output::raw(&script)
}

/// Prints the manual page, or writes those of all commands into a folder.
///
/// # Errors
/// Those of the folder and standard output.
pub(crate) fn man(to: Option<&Path>) -> Result<(), Failure> {
    let command = Cli::command().after_help(EXAMPLES);
    let Some(folder) = to else {
        let mut page = Vec::new();
        clap_mangen::Man::new(command).render(&mut page)?;
        return output::raw(&page);
    };
    fs::create_dir_all(folder).map_err(|error| at(folder, error))?;
    clap_mangen::generate_to(command, folder).map_err(|error| Failure::file(folder, error))
}

/// Lists every command with its arguments and its sentence.
fn list(root: &Command) -> String {
    let groups = GROUPS.map(|(heading, names)| {
        let commands = names.iter().flat_map(|name| leaves(root.find_subcommand(name)));
        (heading, commands.collect::<Vec<_>>())
    });
    let widths = groups.iter().flat_map(|(_, lines)| lines).map(|(usage, _)| usage.len());
    let width = widths.filter(|width| *width <= WIDEST).max().unwrap_or(0);
    groups.iter().fold(String::new(), |mut text, (heading, lines)| {
        let _ = writeln!(text, "{heading}:");
        for (usage, about) in lines {
            let _ = writeln!(text, "  {usage:width$}  {about}");
        }
        text.push('\n');
        text
    })
}

/// Returns usage and sentence of a command, or of each of its own.
fn leaves(command: Option<&Command>) -> Vec<(String, String)> {
    let Some(command) = command else { return Vec::new() };
    if !command.has_subcommands() {
        return vec![leaf(command)];
    }
    let arguments = command.get_positionals().map(argument);
    let name = [command.get_name().to_owned()].into_iter().chain(arguments).collect::<Vec<_>>().join(" ");
    let own = command.get_subcommands().flat_map(|command| leaves(Some(command)));
    own.map(|(usage, about)| (format!("{name} {usage}"), about)).collect()
}

fn leaf(command: &Command) -> (String, String) {
    let required = command.get_opts().filter(|option| option.is_required_set()).map(option);
    let arguments = command.get_positionals().map(argument).chain(required);
    let usage = [command.get_name().to_owned()].into_iter().chain(arguments).collect::<Vec<_>>().join(" ");
    (usage, command.get_about().map(ToString::to_string).unwrap_or_default())
}

fn option(arg: &Arg) -> String {
    format!("--{} {}", arg.get_long().unwrap_or_default(), value(arg))
}

fn value(arg: &Arg) -> &str {
    arg.get_value_names().and_then(|names| names.first()).map_or("", |name| name.as_str())
}

fn argument(arg: &Arg) -> String {
    let name = value(arg);
    let several = if arg.get_num_args().is_some_and(|range| range.max_values() > 1) { "..." } else { "" };
    if arg.is_required_set() { format!("{name}{several}") } else { format!("[{name}]{several}") }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_command_line_is_sound_and_every_command_is_in_one_group() {
        command().debug_assert();
        let root = Cli::command();
        let defined = root.get_subcommands().map(Command::get_name).collect::<BTreeSet<_>>();
        let listed = GROUPS.iter().flat_map(|(_, names)| *names).copied().collect::<Vec<_>>();
        assert_eq!(listed.len(), defined.len());
        assert_eq!(listed.into_iter().collect::<BTreeSet<_>>(), defined);
    }

    #[test]
    fn every_command_and_argument_is_explained() {
        fn check(command: &Command) {
            let name = command.get_name();
            assert!(command.get_about().is_some(), "{name}");
            for arg in command.get_arguments() {
                assert!(arg.get_help().is_some(), "{name} {}", arg.get_id());
            }
            command.get_subcommands().for_each(check);
        }
        check(&Cli::command());
    }

    #[test]
    fn help_is_the_manual() {
        insta::assert_snapshot!(command().term_width(120).render_help());
    }

    #[test]
    fn pages_are_written_for_every_command() {
        let folder = tempfile::tempdir().unwrap();
        man(Some(folder.path())).unwrap();
        let page = fs::read_to_string(folder.path().join("musicdao-playlist-add.1")).unwrap();
        assert!(page.contains("Puts tracks at the end of a playlist"));
    }
}

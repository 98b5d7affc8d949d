//! The command line: a server without arguments, or maintenance.

use crate::{Result, migrate, place::Place, verify};

const USAGE: &str = "\
usage: server
       server migrate --from STORE --to STORE [--dry-run]
       server verify [STORE]
       server gc [STORE]
A STORE is FOLDER[,DATABASE][,BUCKET], such as ./media,postgres://host/media,s3://bucket/prefix.
Default: the folder of STORAGE, or ./media.";

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Serve,
    Migrate { from: Place, to: Place, dry_run: bool },
    Verify(Place),
    CollectGarbage(Place),
}

impl Command {
    /// Parses the arguments after the name of the program.
    pub(crate) fn parse(arguments: &[String], storage: Option<&str>) -> Result<Self> {
        let place = |arguments: &[String]| match arguments {
            [] => Ok(storage.unwrap_or("./media").parse()?),
            [place] if !place.starts_with('-') => Ok(place.parse()?),
            _ => Err(USAGE.into()),
        };
        match arguments.split_first() {
            None => Ok(Self::Serve),
            Some((command, rest)) => match command.as_str() {
                "migrate" => migration(rest),
                "verify" => place(rest).map(Self::Verify),
                "gc" => place(rest).map(Self::CollectGarbage),
                _ => Err(USAGE.into()),
            },
        }
    }

    /// Runs maintenance. The server is run by `main`.
    pub(crate) async fn run(self) -> Result<()> {
        match self {
            Self::Serve => crate::serve().await,
            Self::Migrate { from, to, dry_run } => migrate::run(&from, &to, dry_run).await,
            Self::Verify(place) => verify::run(&place).await,
            Self::CollectGarbage(place) => verify::collect_garbage(&place).await,
        }
    }
}

fn migration(arguments: &[String]) -> Result<Command> {
    let (mut from, mut to, mut dry_run) = (None, None, false);
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--dry-run" => dry_run = true,
            "--from" => from = Some(arguments.next().ok_or(USAGE)?.parse::<Place>()?),
            "--to" => to = Some(arguments.next().ok_or(USAGE)?.parse::<Place>()?),
            _ => return Err(USAGE.into()),
        }
    }
    let (from, to) = (from.ok_or(USAGE)?, to.ok_or(USAGE)?);
    if from.folder == to.folder {
        return Err("--from and --to need a folder each".into());
    }
    Ok(Command::Migrate { from, to, dry_run })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Command> {
        let arguments: Vec<_> = line.split_whitespace().map(str::to_owned).collect();
        Command::parse(&arguments, Some("/srv/media"))
    }

    #[test]
    fn commands_and_their_places_are_parsed() {
        let place = |text: &str| text.parse::<Place>().expect("a place");
        for (line, command) in [
            ("", Command::Serve),
            ("verify", Command::Verify(place("/srv/media"))),
            ("gc ./other", Command::CollectGarbage(place("./other"))),
            (
                "migrate --to b,s3://bucket --from a --dry-run",
                Command::Migrate { from: place("a"), to: place("b,s3://bucket"), dry_run: true },
            ),
        ] {
            assert_eq!(parse(line).expect("a command"), command, "{line}");
        }
        for line in [
            "serve",
            "verify a b",
            "gc --all",
            "migrate",
            "migrate --from a",
            "migrate --from a --to",
            "migrate --from a --to a",
            "migrate --from a --to b --fast",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}

//! A PostgreSQL cluster of the test run's own, in a temporary folder, which ends with the test process.

use std::{
    env,
    net::TcpListener,
    os::unix::{fs::chown, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
};

use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, postgres::PgConnectOptions, raw_sql,
};

pub struct Cluster {
    folder: PathBuf,
    port: u16,
    /// The ids of `postgres`, because a cluster refuses to run as root.
    user: Option<(u32, u32)>,
    /// Stops the cluster and deletes its folder once its standard input is closed, however this process ends.
    _watchdog: Child,
}

impl Cluster {
    /// The cluster that the tests of one binary share. It syncs no files.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Cluster> = OnceLock::new();
        SHARED.get_or_init(|| Self::start("fsync = off\nfull_page_writes = off\n"))
    }

    /// Starts a cluster with more lines for its `postgresql.conf`.
    pub fn start(settings: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("tower-media-pg-").tempdir();
        let folder = folder.expect("a folder").keep();
        let is_root = id(&["-u"]) == 0;
        let user = is_root.then(|| (id(&["-u", "postgres"]), id(&["-g", "postgres"])));
        if let Some((uid, gid)) = user {
            chown(&folder, Some(uid), Some(gid)).expect("a folder of postgres");
        }
        let port = free_port();
        let data = folder.join("data");
        let mut initdb = command("initdb", user);
        initdb.args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C"]);
        run(initdb.arg("--no-sync").arg("-D").arg(&data));
        let socket = folder.display();
        let settings = format!(
            "listen_addresses = '127.0.0.1'\nport = {port}\nunix_socket_directories = '{socket}'\n\
             max_connections = 400\nshared_buffers = '64MB'\n{settings}"
        );
        std::fs::write(data.join("postgresql.auto.conf"), settings).expect("a configuration");
        let mut watchdog = Command::new("sh");
        watchdog.args(["-c", r#"cat; "$1" -D "$2/data" -m immediate stop; rm -rf "$2""#, "sh"]);
        watchdog.arg(program("pg_ctl")).arg(&folder).stdin(Stdio::piped());
        watchdog.stdout(Stdio::null()).stderr(Stdio::null()).current_dir("/");
        // Apart from the process group of the tests, which an interrupt ends as a whole.
        watchdog.process_group(0);
        if let Some((uid, gid)) = user {
            watchdog.uid(uid).gid(gid);
        }
        let _watchdog = watchdog.spawn().expect("a shell");
        let cluster = Self { folder, port, user, _watchdog };
        cluster.control(&["-w", "start"]);
        cluster
    }

    /// Runs `pg_ctl` on the cluster.
    pub fn control(&self, arguments: &[&str]) {
        let mut control = command("pg_ctl", self.user);
        control.arg("-D").arg(self.folder.join("data"));
        run(control.arg("-l").arg(self.folder.join("log")).args(arguments));
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn user(&self) -> Option<(u32, u32)> {
        self.user
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// Creates an empty database, and returns its URL.
    pub async fn create_database(&self) -> String {
        let name = format!("db_{}", uuid::Uuid::new_v4().simple());
        self.execute("postgres", &format!("CREATE DATABASE {name}")).await;
        self.url(&name)
    }

    /// Executes SQL in a database.
    pub async fn execute(&self, database: &str, sql: &str) {
        execute(&self.url(database), sql).await;
    }
}

pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

/// Executes SQL on a connection of its own.
pub async fn execute(url: &str, sql: &str) {
    let options: PgConnectOptions = url.parse().expect("a URL");
    let mut conn = options.connect().await.expect("a connection");
    raw_sql(AssertSqlSafe(sql)).execute(&mut conn).await.expect("a statement");
    conn.close().await.expect("closed");
}

/// The path of a program of PostgreSQL. Debian keeps them out of the `PATH`.
pub fn program(name: &str) -> PathBuf {
    let path = env::var_os("PATH").unwrap_or_default();
    let debian = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let folders = env::split_paths(&path).chain(debian.map(|version| version.path().join("bin")));
    let found = folders.map(|folder| folder.join(name)).find(|program| program.exists());
    found
        .unwrap_or_else(|| panic!("{name} is missing; install PostgreSQL (`postgresql` of Debian)"))
}

fn command(name: &str, user: Option<(u32, u32)>) -> Command {
    let mut command = Command::new(program(name));
    command.current_dir("/").stdin(Stdio::null());
    if let Some((uid, gid)) = user {
        command.uid(uid).gid(gid);
    }
    command
}

/// Runs a program to its end. Its output goes to a file, because a server that it starts keeps it open.
fn run(command: &mut Command) {
    let log = tempfile::NamedTempFile::new().expect("a file");
    let output = || Stdio::from(log.reopen().expect("a file"));
    let status = command.stdout(output()).stderr(output()).status().expect("a program");
    let said = std::fs::read_to_string(log.path()).unwrap_or_default();
    assert!(status.success(), "{command:?}: {status}\n{said}");
}

fn id(arguments: &[&str]) -> u32 {
    let output = Command::new("id").args(arguments).output().expect("the program id");
    let number = String::from_utf8_lossy(&output.stdout).trim().parse();
    number.expect(
        "a user named postgres; install PostgreSQL, or run the tests as another user than root",
    )
}

//! Who is disabled is refused at once, at every node.

use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::support::bridge::{Bridge, Setup};
use crate::support::ldap::client::Client;
use crate::support::ldap::company::{Company, Wanted, has, listen};
use crate::support::ldap::tools::{Directory, run};
use crate::support::{Database, eventually, in_time};

/// So often somebody is disabled to be measured; `DISABLE_RUNS` asks for more.
const RUNS: usize = 10;

/// For the second node to hear of it; it polls every 50 ms, and is told.
const HEARD: Duration = Duration::from_millis(100);

fn bind(directory: &Directory, name: &str) -> u32 {
    let mut client = Client::open(&directory.url, &directory.ca).unwrap();
    client.bind(&directory.person(name), &format!("{name}-password")).unwrap().code
}

#[tokio::test]
async fn a_disabled_person_binds_no_more_at_any_node() {
    for database in [Database::Sqlite, Database::Postgres] {
        // What is remembered of a right password must not outlive her.
        let wanted =
            Wanted { database, directory: "      posix: allocate\n      bind_cache: 60s\n", ..Wanted::default() };
        let company = Company::start(wanted).await;
        let mut nodes = vec![company.directory.clone()];
        let mut others = Vec::new();
        if database == Database::Postgres {
            let (bridge, second) = second_node(&company).await;
            others.push(bridge);
            nodes.push(second);
        }
        for node in &nodes {
            assert_eq!((bind(node, "alice"), bind(node, "alice"), bind(node, "bob")), (0, 0, 0));
        }
        let alice = id_of(&company.setup, "alice");
        company.setup.ok(&["users", "disable", &alice, "--tenant", "acme"]);
        let disabled = Instant::now();
        // The command ends when it is durable; every node hears within its poll.
        while disabled.elapsed() < HEARD {
            std::thread::sleep(Duration::from_millis(5));
        }
        for node in &nodes {
            assert_eq!(bind(node, "alice"), 49);
            assert_eq!(bind(node, "bob"), 0);
        }
    }
}

/// [S 53]: how long after somebody is disabled the other node still lets a bind begin that is not refused. Her password
/// is remembered there, so only hearing of it refuses her.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_node_refuses_within_100_ms() {
    let wanted = Wanted {
        database: Database::Postgres,
        directory: "      posix: allocate\n      bind_cache: 60s\n",
        ..Wanted::default()
    };
    let company = Company::start(wanted).await;
    let (_bridge, second) = second_node(&company).await;
    let alice = id_of(&company.setup, "alice");
    let runs = std::env::var("DISABLE_RUNS").map_or(RUNS, |text| text.parse().unwrap());
    let numbers = in_time(HEARD, async || {
        let mut took: Vec<Duration> = (0..runs).map(|_| refused_after(&company, &second, &alice)).collect();
        took.sort_unstable();
        let at = |share: usize| took[(took.len() * share / 100).min(took.len() - 1)];
        (format!("{runs} runs: p50 {:?}, p99 {:?}, at most {:?}", at(50), at(99), at(100)), at(99))
    });
    eprintln!("a second node refuses a disabled person: {}", numbers.await);
}

/// From what the database says was the moment before she was disabled, to the beginning of the first bind that is refused.
fn refused_after(company: &Company, node: &Directory, alice: &str) -> Duration {
    let over = AtomicBool::new(false);
    // Before she is disabled, however busy the machine is.
    let (mut client, dn) = (Client::open(&node.url, &node.ca).unwrap(), node.person("alice"));
    assert_eq!(client.bind(&dn, "alice-password").unwrap().code, 0);
    let refused_at = std::thread::scope(|scope| {
        let binds = scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                let begun = SystemTime::now();
                if client.bind(&dn, "alice-password").unwrap().code == 49 {
                    return begun;
                }
            }
            panic!("she still binds")
        });
        company.setup.ok(&["users", "disable", alice, "--tenant", "acme"]);
        std::thread::sleep(HEARD * 5);
        over.store(true, Ordering::Relaxed);
        binds.join().unwrap()
    });
    let statement = format!("SELECT max(changed_at) FROM profiles WHERE person_id = '{alice}'");
    let url = &company.setup.settings.iter().find(|(name, _)| name == "FEDBRIDGE_DATABASE_URL").unwrap().1;
    let said = run(Command::new("psql").args(["-X", "-A", "-t", "-w", "-d", url, "-c", &statement]));
    let disabled_at: u64 = said.out.trim().parse().unwrap_or_else(|error| panic!("{error}: {said:?}"));
    company.setup.ok(&["users", "enable", alice, "--tenant", "acme"]);
    let until = Instant::now() + Duration::from_secs(10);
    while bind(node, "alice") != 0 {
        assert!(Instant::now() < until, "she is enabled again");
    }
    let since = UNIX_EPOCH + Duration::from_millis(disabled_at);
    refused_at.duration_since(since).unwrap_or_default()
}

async fn second_node(company: &Company) -> (Bridge, Directory) {
    let mut setup = company.setup.another_node();
    let second = listen(&mut setup, &company.authority);
    let bridge = setup.serve(&company.scratch).await;
    eventually("the second node has her", async || has(&second, "alice").then_some(())).await;
    (bridge, second)
}

fn id_of(setup: &Setup, name: &str) -> String {
    let list = setup.ok(&["users", "list", "--tenant", "acme", "--search", name]);
    let is_id = |word: &&str| word.len() == 32 && word.bytes().all(|octet| octet.is_ascii_hexdigit());
    list.split_whitespace().find(is_id).unwrap_or_else(|| panic!("{list}")).to_owned()
}

//! The floor: the same cryptography alone, in this process, and one durable commit. No login can
//! cost less than this. It is measured on one thread with nothing beside it, and again on every core
//! at once: cores that share caches are slower then, and so are they while logins run.

use std::hint::black_box;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, ensure};
use fedbridge_saml::names;
use fedbridge_saml::seam::{Limits, UnverifiedDocument, VerifyKey, VerifyPolicy};
use fedbridge_saml::testkit::TestKey;
use openssl::ec::{EcGroup, EcKey};
use openssl::ecdsa::EcdsaSig;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::sha::sha256;
use openssl::sign::Signer;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{Connection as _, PgConnection, SqliteConnection};

use crate::chain::{person, person_with, sample_response};
use crate::load::Meter;
use crate::numbers::each;
use crate::proc;

/// How long each operation is repeated.
const BUDGET: Duration = Duration::from_millis(600);

/// What one operation takes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Cost {
    pub cpu: Duration,
    pub wall: Duration,
}

#[derive(Debug, Clone, Copy)]
pub struct Floor {
    pub alone: Crypto,
    /// CPU of the same with every core busy with it.
    pub busy: Crypto,
    /// One durable commit, the database's processes included.
    pub commit: Cost,
    /// Octets of the two Responses.
    pub response: usize,
    pub response_500: usize,
}

#[derive(Debug, Clone, Copy)]
pub struct Crypto {
    /// Parsing and verifying the Response of a login.
    pub verify: Cost,
    /// The same with 500 attributes.
    pub verify_500: Cost,
    /// One RSA-2048 signature, for signed requests.
    pub rsa_sign: Cost,
    /// One ES256 signature, its hash included; a login has two.
    pub es256: Cost,
    /// The hashes of a login.
    pub hashes: Cost,
}

impl Floor {
    /// CPU of a login that does nothing else.
    pub fn login(&self, crypto: &Crypto, signed_request: bool) -> Duration {
        let request = if signed_request { crypto.rsa_sign.cpu } else { Duration::ZERO };
        crypto.verify.cpu + request + 2 * crypto.es256.cpu + crypto.hashes.cpu + self.commit.cpu
    }
}

/// Where commits are measured.
pub enum CommitAt<'a> {
    Sqlite(&'a Path),
    Postgres(&'a str, Meter),
}

pub fn measure(host: &str, commits: &CommitAt<'_>) -> anyhow::Result<Floor> {
    let small = sample_response(host, &person(0))?;
    let large = sample_response(host, &person_with(0, 500))?;
    let key = VerifyKey::from_certificate_der(&TestKey::shared().certificate)?;
    let rsa = PKey::from_rsa(Rsa::generate(2048)?)?;
    let ec = EcKey::generate(EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?.as_ref())?;
    let crypto = |threads| {
        anyhow::Ok(Crypto {
            verify: repeat(threads, || verify(small.as_bytes(), &key))?,
            verify_500: repeat(threads, || verify(large.as_bytes(), &key))?,
            rsa_sign: repeat(threads, || rsa_sign(&rsa))?,
            es256: repeat(threads, || es256(&ec))?,
            hashes: repeat(threads, hashes)?,
        })
    };
    Ok(Floor {
        alone: crypto(1)?,
        busy: crypto(thread::available_parallelism()?.get())?,
        commit: commit(commits)?,
        response: small.len(),
        response_500: large.len(),
    })
}

/// What an operation takes on average, done by this many threads at once.
fn repeat(threads: usize, operation: impl Fn() -> anyhow::Result<()> + Sync) -> anyhow::Result<Cost> {
    let costs: Vec<Cost> = thread::scope(|scope| {
        let started: Vec<_> = (0..threads).map(|_| scope.spawn(|| repeat_alone(&operation))).collect();
        let ended = started.into_iter().map(|thread| thread.join().map_err(|_| anyhow!("a floor thread died"))?);
        ended.collect::<anyhow::Result<_>>()
    })?;
    let cpu = costs.iter().map(|cost| cost.cpu).sum();
    let wall = costs.iter().map(|cost| cost.wall).sum();
    Ok(Cost { cpu: each(cpu, threads), wall: each(wall, threads) })
}

fn repeat_alone(operation: impl Fn() -> anyhow::Result<()>) -> anyhow::Result<Cost> {
    for _ in 0..5 {
        operation()?;
    }
    let (cpu, start) = (proc::thread_cpu()?, Instant::now());
    let mut count = 0;
    while start.elapsed() < BUDGET {
        operation()?;
        count += 1;
    }
    let wall = start.elapsed();
    Ok(Cost { cpu: each(proc::thread_cpu()? - cpu, count), wall: each(wall, count) })
}

/// The seam's whole road, from octets to what was verified.
fn verify(response: &[u8], key: &VerifyKey) -> anyhow::Result<()> {
    let document = UnverifiedDocument::parse(response, Limits::message())?;
    let assertion = document.unverified_root().child(names::ASSERTION, "Assertion").context("no assertion")?;
    let verified = document.verify_enveloped(assertion, std::slice::from_ref(key), &VerifyPolicy::default())?;
    black_box(verified);
    Ok(())
}

fn rsa_sign(key: &PKey<Private>) -> anyhow::Result<()> {
    let query = [b'q'; 700];
    let mut signer = Signer::new(MessageDigest::sha256(), key)?;
    black_box(signer.sign_oneshot_to_vec(&query)?);
    Ok(())
}

fn es256(key: &EcKey<Private>) -> anyhow::Result<()> {
    let claims = [b'c'; 800];
    let signature = EcdsaSig::sign(&sha256(&claims), key)?;
    black_box((signature.r().to_vec_padded(32)?, signature.s().to_vec_padded(32)?));
    Ok(())
}

/// Client secret, code, PKCE, at_hash, c_hash, cookies, handle and one-time key.
fn hashes() -> anyhow::Result<()> {
    for length in [43, 43, 43, 48, 48, 64, 64, 100, 800] {
        black_box(sha256(&vec![b'h'; length]));
    }
    Ok(())
}

// ---- one durable commit ----

const COMMITS: usize = 1_000;
const MOST: Duration = Duration::from_secs(6);

/// About what the rows of a login hold.
const ROW: usize = 2_048;

fn commit(at: &CommitAt<'_>) -> anyhow::Result<Cost> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        match at {
            CommitAt::Sqlite(folder) => sqlite(folder).await,
            CommitAt::Postgres(url, meter) => postgres(url, meter).await,
        }
    })
}

async fn sqlite(folder: &Path) -> anyhow::Result<Cost> {
    let options = SqliteConnectOptions::new()
        .filename(folder.join("floor.db"))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full);
    let mut connection = SqliteConnection::connect_with(&options).await?;
    sqlx::query("CREATE TABLE floor (id INTEGER PRIMARY KEY, body BLOB NOT NULL)").execute(&mut connection).await?;
    let (cpu, start) = (proc::own_cpu()?, Instant::now());
    let mut count = 0;
    while count < COMMITS && start.elapsed() < MOST {
        let insert = sqlx::query("INSERT INTO floor (body) VALUES (?)").bind(vec![7_u8; ROW]);
        insert.execute(&mut connection).await?;
        count += 1;
    }
    let cost = Cost { cpu: each(proc::own_cpu()? - cpu, count), wall: each(start.elapsed(), count) };
    connection.close().await?;
    Ok(cost)
}

async fn postgres(url: &str, meter: &Meter) -> anyhow::Result<Cost> {
    let mut connection = PgConnection::connect(url).await?;
    sqlx::query("CREATE TABLE floor (id BIGSERIAL PRIMARY KEY, body BYTEA NOT NULL)").execute(&mut connection).await?;
    let before = meter.read()?;
    let start = Instant::now();
    let mut count = 0;
    while count < COMMITS && start.elapsed() < MOST {
        let insert = sqlx::query("INSERT INTO floor (body) VALUES ($1)").bind(vec![7_u8; ROW]);
        let done = insert.execute(&mut connection).await?;
        ensure!(done.rows_affected() == 1, "the floor's row was not written");
        count += 1;
    }
    let wall = start.elapsed();
    let cpu = meter.read()?.since(before);
    connection.close().await?;
    Ok(Cost { cpu: each(cpu.load + cpu.database, count), wall: each(wall, count) })
}

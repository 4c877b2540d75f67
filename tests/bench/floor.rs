//! The floor: the same cryptography alone, in this process, and one durable commit. No login and no
//! single sign-on can cost less than this. It is measured on one thread with nothing beside it, and again on every core
//! at once: cores that share caches are slower then, and so are they while logins run.

use std::hint::black_box;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, ensure};
use fedbridge_saml::names;
use fedbridge_saml::seam::{Limits, UnverifiedDocument, VerifyKey, VerifyPolicy};
use fedbridge_saml::testkit::TestKey;
use openssl::ec::{EcGroup, EcKey};
use openssl::ecdsa::EcdsaSig;
use openssl::encrypt::{Decrypter, Encrypter};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::{Padding, Rsa};
use openssl::sha::sha256;
use openssl::sign::{Signer, Verifier};
use openssl::symm::{Cipher, decrypt_aead, encrypt_aead};

use crate::commit::{self, CommitAt};
use crate::numbers::each;
use crate::proc;
use crate::run::OCTETS;
use crate::sso::Asks;
use crate::upstream::{Variety, person, person_of, person_with, sample_response};

/// How long each operation is repeated.
const BUDGET: Duration = Duration::from_millis(600);
const COMMITS: usize = 1_000;

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
    /// Octets of the three Responses.
    pub response: usize,
    pub response_500: usize,
    pub response_100k: usize,
}

#[derive(Debug, Clone, Copy)]
pub struct Crypto {
    /// Parsing and verifying the Response of a login.
    pub verify: Cost,
    /// The same with 500 attributes.
    pub verify_500: Cost,
    /// The same with 100,000 octets.
    pub verify_100k: Cost,
    /// One RSA-2048 signature, for signed requests, and for what the IdP side says.
    pub rsa_sign: Cost,
    /// Checking one, of a request to the IdP side.
    pub rsa_verify: Cost,
    /// Unwrapping one content key: RSA-2048 with OAEP.
    pub unwrap: Cost,
    /// Decrypting the assertion of a login with it: AES-256-GCM.
    pub decrypt: Cost,
    /// One ES256 signature, its hash included; a login has two.
    pub es256: Cost,
    /// The hashes of a login.
    pub hashes: Cost,
}

impl Floor {
    /// CPU of a login that does nothing else.
    pub fn login(&self, crypto: &Crypto, variety: Variety) -> Duration {
        let more = match variety {
            Variety::Unsigned => Duration::ZERO,
            Variety::Signed => crypto.rsa_sign.cpu,
            Variety::Encrypted => crypto.unwrap.cpu + crypto.decrypt.cpu,
        };
        crypto.verify.cpu + more + 2 * crypto.es256.cpu + crypto.hashes.cpu + self.commit.cpu
    }

    /// CPU of a single sign-on that does nothing else: response and assertion are both signed.
    pub fn sso(&self, crypto: &Crypto, asks: Asks) -> Duration {
        let request = match asks {
            Asks::Unsigned => Duration::ZERO,
            Asks::Signed => crypto.rsa_verify.cpu,
        };
        2 * crypto.rsa_sign.cpu + request + self.commit.cpu
    }
}

pub fn measure(host: &str, commits: &CommitAt<'_>) -> anyhow::Result<Floor> {
    let small = sample_response(host, &person(0))?;
    let with_500 = sample_response(host, &person_with(0, 500))?;
    let with_100k = sample_response(host, &person_of(host, OCTETS)?(0))?;
    let key = VerifyKey::from_certificate_der(&TestKey::shared().certificate)?;
    let rsa = PKey::from_rsa(Rsa::generate(2048)?)?;
    let signature = Signer::new(MessageDigest::sha256(), &rsa)?.sign_oneshot_to_vec(&QUERY)?;
    let sealed = Sealed::of(assertion(&small)?, &rsa)?;
    let ec = EcKey::generate(EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?.as_ref())?;
    let crypto = |threads| {
        anyhow::Ok(Crypto {
            verify: repeat(threads, || verify(small.as_bytes(), &key))?,
            verify_500: repeat(threads, || verify(with_500.as_bytes(), &key))?,
            verify_100k: repeat(threads, || verify(with_100k.as_bytes(), &key))?,
            rsa_sign: repeat(threads, || rsa_sign(&rsa))?,
            rsa_verify: repeat(threads, || rsa_verify(&rsa, &signature))?,
            unwrap: repeat(threads, || sealed.unwrap(&rsa).map(|key| drop(black_box(key))))?,
            decrypt: repeat(threads, || sealed.decrypt())?,
            es256: repeat(threads, || es256(&ec))?,
            hashes: repeat(threads, hashes)?,
        })
    };
    Ok(Floor {
        alone: crypto(1)?,
        busy: crypto(thread::available_parallelism()?.get())?,
        commit: commit::measure(commits, COMMITS)?,
        response: small.len(),
        response_500: with_500.len(),
        response_100k: with_100k.len(),
    })
}

/// What an operation takes on average, done by this many threads at once.
fn repeat(threads: usize, operation: impl Fn() -> anyhow::Result<()> + Sync) -> anyhow::Result<Cost> {
    let costs: Vec<Cost> = thread::scope(|scope| {
        let started: Vec<_> = (0..threads).map(|_| scope.spawn(|| repeat_alone(BUDGET, &operation))).collect();
        let ended = started.into_iter().map(|thread| thread.join().map_err(|_| anyhow!("a floor thread died"))?);
        ended.collect::<anyhow::Result<_>>()
    })?;
    let cpu = costs.iter().map(|cost| cost.cpu).sum();
    let wall = costs.iter().map(|cost| cost.wall).sum();
    Ok(Cost { cpu: each(cpu, threads), wall: each(wall, threads) })
}

/// What an operation takes on average, done for so long on this thread.
pub fn repeat_alone(budget: Duration, operation: impl Fn() -> anyhow::Result<()>) -> anyhow::Result<Cost> {
    for _ in 0..5 {
        operation()?;
    }
    let (cpu, start) = (proc::thread_cpu()?, Instant::now());
    let mut count = 0;
    while start.elapsed() < budget {
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

/// As long as the signed part of a redirect, or of an ID token.
pub const QUERY: [u8; 700] = [b'q'; 700];

fn rsa_sign(key: &PKey<Private>) -> anyhow::Result<()> {
    let mut signer = Signer::new(MessageDigest::sha256(), key)?;
    black_box(signer.sign_oneshot_to_vec(&QUERY)?);
    Ok(())
}

pub fn rsa_verify(key: &PKey<Private>, signature: &[u8]) -> anyhow::Result<()> {
    ensure!(Verifier::new(MessageDigest::sha256(), key)?.verify_oneshot(signature, &QUERY)?, "the signature is wrong");
    Ok(())
}

/// The assertion in a Response.
fn assertion(response: &str) -> anyhow::Result<&str> {
    let (from, end) = (response.find("<saml:Assertion"), response.find("</saml:Assertion>"));
    from.zip(end).and_then(|(from, end)| response.get(from..end)).context("the sample has no assertion")
}

/// An assertion under a content key, and that under an RSA key.
struct Sealed {
    wrapped: Vec<u8>,
    key: [u8; 32],
    iv: [u8; 12],
    tag: [u8; 16],
    octets: Vec<u8>,
}

impl Sealed {
    fn of(assertion: &str, rsa: &PKey<Private>) -> anyhow::Result<Self> {
        let (key, iv, mut tag) = ([7; 32], [7; 12], [0; 16]);
        let octets = encrypt_aead(Cipher::aes_256_gcm(), &key, Some(&iv), &[], assertion.as_bytes(), &mut tag)?;
        let mut encrypter = Encrypter::new(rsa)?;
        encrypter.set_rsa_padding(Padding::PKCS1_OAEP)?;
        let mut wrapped = vec![0; encrypter.encrypt_len(&key)?];
        let length = encrypter.encrypt(&key, &mut wrapped)?;
        wrapped.truncate(length);
        Ok(Self { wrapped, key, iv, tag, octets })
    }

    fn unwrap(&self, rsa: &PKey<Private>) -> anyhow::Result<Vec<u8>> {
        let mut decrypter = Decrypter::new(rsa)?;
        decrypter.set_rsa_padding(Padding::PKCS1_OAEP)?;
        let mut key = vec![0; decrypter.decrypt_len(&self.wrapped)?];
        let length = decrypter.decrypt(&self.wrapped, &mut key)?;
        ensure!(key.get(..length) == Some(&self.key[..]), "another key was unwrapped");
        Ok(key)
    }

    fn decrypt(&self) -> anyhow::Result<()> {
        let plain = decrypt_aead(Cipher::aes_256_gcm(), &self.key, Some(&self.iv), &[], &self.octets, &self.tag)?;
        black_box(plain);
        Ok(())
    }
}

pub fn es256(key: &EcKey<Private>) -> anyhow::Result<()> {
    let claims = [b'c'; 800];
    let signature = EcdsaSig::sign(&sha256(&claims), key)?;
    black_box((signature.r().to_vec_padded(32)?, signature.s().to_vec_padded(32)?));
    Ok(())
}

/// Client secret, code, PKCE, at_hash, c_hash, cookies, handle and one-time key.
pub fn hashes() -> anyhow::Result<()> {
    for length in [43, 43, 43, 48, 48, 64, 64, 100, 800] {
        black_box(sha256(&vec![b'h'; length]));
    }
    Ok(())
}

//! Signatures a second through the bridge's signer, beside openssl's own EVP
//! call with a parsed key. Run with `--release`.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::disallowed_methods)]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use fedbridge_contract::ids::TenantId;
use fedbridge_contract::keys::{KeyPurpose, KeyState, SignatureAlgorithm, Signer as _};
use fedbridge_contract::services::Clock as _;
use fedbridge_hub::ports::Sealer;
use fedbridge_keys::{AesGcmSealer, MasterKey, OpensslRng, OpensslSigner, SystemClock, TenantName, generate_key};
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::PKey;
use openssl::rsa::Rsa;

const MESSAGE: &[u8] = &[b'x'; 600];

fn main() {
    let sealer: Arc<dyn Sealer> = Arc::new(AesGcmSealer::new(MasterKey::from_bytes([1; 32])).unwrap());
    let ec = EcKey::generate(&EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap()).unwrap();
    let raw = [
        (SignatureAlgorithm::ES256, PKey::from_ec_key(ec).unwrap(), 20_000),
        (SignatureAlgorithm::RS256, PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap(), 2_000),
    ];
    for (algorithm, raw, count) in raw {
        let tenant = TenantName { id: TenantId::random(&OpensslRng), slug: "bench" };
        let now = SystemClock.now();
        let key = generate_key(tenant, KeyPurpose::Oidc, algorithm, KeyState::Active, now, &*sealer).unwrap();
        let signer = OpensslSigner::new(&key, Arc::clone(&sealer));
        let ours = rate(count, || drop(black_box(signer.sign(MESSAGE).unwrap())));
        let floor = rate(count, || {
            let mut signer = openssl::sign::Signer::new(MessageDigest::sha256(), &raw).unwrap();
            drop(black_box(signer.sign_oneshot_to_vec(MESSAGE).unwrap()));
        });
        println!("{}: {ours:.0}/s, raw EVP {floor:.0}/s, ratio {:.2}", algorithm.name(), ours / floor);
    }
    let (plain, place) = (vec![7; 1000], b"0123456789abcdef0123456789abcdef/grant/0");
    let sealed = sealer.seal(place, &plain);
    println!("seal 1000 octets: {:.0}/s", rate(100_000, || drop(black_box(sealer.seal(place, &plain)))));
    println!("open 1000 octets: {:.0}/s", rate(100_000, || drop(black_box(sealer.open(place, &sealed).unwrap()))));
}

fn rate(count: u32, mut work: impl FnMut()) -> f64 {
    (0..count / 10).for_each(|_| work());
    let start = Instant::now();
    (0..count).for_each(|_| work());
    f64::from(count) / start.elapsed().as_secs_f64()
}

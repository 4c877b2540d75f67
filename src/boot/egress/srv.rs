//! SRV records (RFC 2782), asked of the machine's name servers. The system's resolver gives addresses alone, so the
//! question is our own (RFC 1035 section 4). Whoever uses an answer knows that nothing about it is proven.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use fedbridge_contract::egress::SrvRecord;
use fedbridge_contract::services::Rng;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::{Instant, timeout_at};

const RESOLV_CONF: &str = "/etc/resolv.conf";

/// As many name servers as resolv.conf(5) has.
const MOST_SERVERS: usize = 3;

/// Types and the class of RFC 1035 section 3.2 and RFC 2782.
const SRV: u16 = 33;
const INTERNET: u16 = 1;

/// Asks one name server after the other.
///
/// # Errors
/// None answers in time, or the answer is that there are no such records.
pub async fn look_up(servers: &[SocketAddr], name: &str, rng: &dyn Rng, limit: Duration) -> io::Result<Vec<SrvRecord>> {
    let deadline = Instant::now() + limit;
    let mut last = io::Error::new(ErrorKind::NotFound, "there is no name server");
    for (at, server) in servers.iter().enumerate() {
        // One that is silent leaves time for the others.
        let left = deadline.saturating_duration_since(Instant::now());
        let share = Instant::now() + left / u32::try_from(servers.len() - at).unwrap_or(1);
        let mut id = [0; 2];
        rng.fill(&mut id);
        match timeout_at(share, ask(*server, name, u16::from_be_bytes(id))).await {
            Ok(Ok(Answer::Found(records))) => return Ok(records),
            Ok(Ok(Answer::Nothing)) => return Err(io::Error::new(ErrorKind::NotFound, "there are none")),
            Ok(Err(error)) => last = error,
            Err(_) => last = io::Error::new(ErrorKind::TimedOut, "the name server does not answer"),
        }
    }
    Err(last)
}

/// The name servers of this machine.
pub async fn of_the_system() -> io::Result<Vec<SocketAddr>> {
    Ok(name_servers(&tokio::fs::read_to_string(RESOLV_CONF).await?))
}

fn name_servers(text: &str) -> Vec<SocketAddr> {
    let named = text.lines().filter_map(|line| line.trim().strip_prefix("nameserver")?.trim().parse::<IpAddr>().ok());
    named.take(MOST_SERVERS).map(|ip| SocketAddr::new(ip, 53)).collect()
}

enum Answer {
    Found(Vec<SrvRecord>),
    /// The name, or records of this type, are not there.
    Nothing,
}

async fn ask(server: SocketAddr, name: &str, id: u16) -> io::Result<Answer> {
    let question = question(name, id).ok_or_else(|| io::Error::new(ErrorKind::InvalidInput, "that is no name"))?;
    match by_datagram(server, &question).await? {
        Some(answer) => Ok(answer),
        None => by_stream(server, &question).await,
    }
}

/// `None`: the answer is too long for a datagram.
async fn by_datagram(server: SocketAddr, question: &[u8]) -> io::Result<Option<Answer>> {
    let here: SocketAddr = match server {
        SocketAddr::V4(_) => ([0, 0, 0, 0], 0).into(),
        SocketAddr::V6(_) => ([0u16; 8], 0).into(),
    };
    let socket = UdpSocket::bind(here).await?;
    // From nobody else, then.
    socket.connect(server).await?;
    socket.send(question).await?;
    let mut buffer = [0; 4096];
    loop {
        let length = socket.recv(&mut buffer).await?;
        match read(&buffer[..length], question) {
            Read::Whole(answer) => return Ok(Some(answer)),
            Read::Cut => return Ok(None),
            Read::Refused(code) => return Err(refused(code)),
            // An answer to somebody else's question may be a forgery: the true one may come yet.
            Read::Strange => {}
        }
    }
}

async fn by_stream(server: SocketAddr, question: &[u8]) -> io::Result<Answer> {
    let mut stream = TcpStream::connect(server).await?;
    let length = u16::try_from(question.len()).unwrap_or(u16::MAX);
    stream.write_all(&[&length.to_be_bytes(), question].concat()).await?;
    let length = usize::from(stream.read_u16().await?);
    let mut answer = vec![0; length];
    stream.read_exact(&mut answer).await?;
    match read(&answer, question) {
        Read::Whole(answer) => Ok(answer),
        Read::Refused(code) => Err(refused(code)),
        Read::Cut | Read::Strange => Err(io::Error::new(ErrorKind::InvalidData, "the name server's answer is none")),
    }
}

fn refused(code: u8) -> io::Error {
    io::Error::other(format!("the name server answers with code {code}"))
}

/// One question, and nothing else (RFC 1035 section 4.1). `None`: the name can't be one.
fn question(name: &str, id: u16) -> Option<Vec<u8>> {
    const RECURSION_DESIRED: u16 = 0x0100;
    let mut octets = Vec::with_capacity(name.len() + 18);
    for field in [id, RECURSION_DESIRED, 1, 0, 0, 0] {
        octets.extend(field.to_be_bytes());
    }
    for label in name.trim_end_matches('.').split('.') {
        let length = u8::try_from(label.len()).ok().filter(|length| (1..64).contains(length))?;
        octets.push(length);
        octets.extend(label.as_bytes());
    }
    octets.push(0);
    octets.extend(SRV.to_be_bytes());
    octets.extend(INTERNET.to_be_bytes());
    (octets.len() <= 12 + 255 + 4).then_some(octets)
}

enum Read {
    Whole(Answer),
    Cut,
    /// With this response code.
    Refused(u8),
    /// No answer to this question.
    Strange,
}

fn read(message: &[u8], question: &[u8]) -> Read {
    read_checked(message, question).unwrap_or(Read::Strange)
}

fn read_checked(message: &[u8], question: &[u8]) -> Option<Read> {
    const IS_ANSWER: u8 = 0x80;
    const IS_CUT: u8 = 0x02;
    const NO_SUCH_NAME: u8 = 3;
    let (id, asked) = (question.get(..2)?, question.get(12..)?);
    // The question stands in the answer as it was asked.
    if message.get(..2)? != id || !message.get(12..12 + asked.len())?.eq_ignore_ascii_case(asked) {
        return None;
    }
    let (flags, code) = (*message.get(2)?, *message.get(3)? & 0x0f);
    match (flags & IS_ANSWER, flags & IS_CUT, code) {
        (0, ..) => return None,
        (_, IS_CUT, _) => return Some(Read::Cut),
        (_, _, NO_SUCH_NAME) => return Some(Read::Whole(Answer::Nothing)),
        (_, _, 1..) => return Some(Read::Refused(code)),
        _ => {}
    }
    let count = number(message, 6)?;
    let mut at = 12 + asked.len();
    let mut records = Vec::new();
    for _ in 0..count {
        let (_, behind) = name(message, at)?;
        let (kind, class, length) =
            (number(message, behind)?, number(message, behind + 2)?, number(message, behind + 8)?);
        let seconds = u32::from(number(message, behind + 4)?) << 16 | u32::from(number(message, behind + 6)?);
        let data = behind + 10;
        at = data + usize::from(length);
        message.get(data..at)?;
        // A canonical name may stand before them.
        if (kind, class) == (SRV, INTERNET) {
            records.push(SrvRecord {
                priority: number(message, data)?,
                weight: number(message, data + 2)?,
                port: number(message, data + 4)?,
                host: name(message, data + 6)?.0,
                valid_for: Duration::from_secs(u64::from(seconds)),
            });
        }
    }
    // The root as the only host says that there is no such service (RFC 2782).
    records.retain(|record| !record.host.is_empty());
    Some(Read::Whole(if records.is_empty() { Answer::Nothing } else { Answer::Found(records) }))
}

fn number(message: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(message.get(at..at + 2)?.try_into().ok()?))
}

/// A name, and where it ends. It may go on elsewhere (RFC 1035 section 4.1.4), but only further back each time, so that
/// it comes to an end.
fn name(message: &[u8], at: usize) -> Option<(String, usize)> {
    let (mut at, mut end, mut earliest) = (at, None, at);
    let mut labels = Vec::new();
    let mut length = 0;
    loop {
        let first = usize::from(*message.get(at)?);
        match first & 0xc0 {
            0 if first == 0 => return Some((labels.join("."), end.unwrap_or(at + 1))),
            0 => {
                let label = message.get(at + 1..at + 1 + first)?;
                length += label.len() + 1;
                if length > 255 {
                    return None;
                }
                // A dot inside would be taken for a border.
                let text = std::str::from_utf8(label).ok().filter(|text| text.bytes().all(is_of_a_host))?;
                labels.push(text.to_owned());
                at += 1 + first;
            }
            0xc0 => {
                let target = usize::from(number(message, at)? & 0x3fff);
                end = end.or(Some(at + 2));
                if target >= earliest {
                    return None;
                }
                (at, earliest) = (target, target);
            }
            _ => return None,
        }
    }
}

fn is_of_a_host(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const NAME: &str = "_ldap._tcp.ad.test";

    /// What the question's randomness is.
    struct Fixed;

    impl Rng for Fixed {
        fn fill(&self, buffer: &mut [u8]) {
            buffer.fill(7);
        }
    }

    fn label(host: &str) -> Vec<u8> {
        let labels = host.split('.').filter(|label| !label.is_empty());
        let mut octets: Vec<_> =
            labels.flat_map(|label| [&[u8::try_from(label.len()).unwrap()], label.as_bytes()].concat()).collect();
        octets.push(0);
        octets
    }

    /// An answer to a question: its flags, code, and records behind pointers to the question's name.
    fn answer(question: &[u8], flags: u8, code: u8, records: &[(u16, u16, u16, Vec<u8>)]) -> Vec<u8> {
        let mut octets = question.to_vec();
        octets[2] = flags;
        octets[3] = 0x80 | code;
        octets[6..8].copy_from_slice(&u16::try_from(records.len()).unwrap().to_be_bytes());
        for (priority, weight, port, host) in records {
            octets.extend([0xc0, 12]);
            for field in [SRV, INTERNET, 0, 300, u16::try_from(6 + host.len()).unwrap(), *priority, *weight, *port] {
                octets.extend(field.to_be_bytes());
            }
            octets.extend(host);
        }
        octets
    }

    fn asked() -> Vec<u8> {
        question(NAME, 0x0707).unwrap()
    }

    fn found(read: Read) -> Option<Vec<SrvRecord>> {
        match read {
            Read::Whole(Answer::Found(records)) => Some(records),
            _ => None,
        }
    }

    #[test]
    fn records_are_read() {
        let question = asked();
        // The second host ends where the question's name goes on: `dc2` and a pointer to `ad.test`.
        let ad = 12 + label("_ldap._tcp").len() - 1;
        let pointed = [&label("dc2")[..4], &[0xc0, u8::try_from(ad).unwrap()]].concat();
        let octets = answer(&question, 0x84, 0, &[(10, 60, 389, label("dc1.ad.test")), (20, 0, 636, pointed)]);
        let records = found(read(&octets, &question)).unwrap();
        let hosts: Vec<_> = records.iter().map(|it| (it.priority, it.weight, it.port, it.host.as_str())).collect();
        assert_eq!(hosts, [(10, 60, 389, "dc1.ad.test"), (20, 0, 636, "dc2.ad.test")]);
        assert_eq!(records[0].valid_for, Duration::from_secs(300));
    }

    #[test]
    fn what_is_no_answer_to_the_question_is_left_alone() {
        let question = asked();
        let good = answer(&question, 0x84, 0, &[(1, 1, 389, label("dc1.ad.test"))]);
        assert!(found(read(&good, &question)).is_some());
        let other_id = self::question(NAME, 8).unwrap();
        let other_name = self::question("_ldap._tcp.ad.tesx", 0x0707).unwrap();
        for other in [other_id, other_name] {
            assert!(matches!(read(&good, &other), Read::Strange));
        }
        assert!(matches!(read(&question, &question), Read::Strange), "our own question comes back");
        assert!(matches!(read(&answer(&question, 0x86, 0, &[]), &question), Read::Cut));
        assert!(matches!(read(&answer(&question, 0x84, 3, &[]), &question), Read::Whole(Answer::Nothing)));
        assert!(matches!(read(&answer(&question, 0x84, 0, &[]), &question), Read::Whole(Answer::Nothing)));
        assert!(matches!(read(&answer(&question, 0x84, 2, &[]), &question), Read::Refused(2)));
        let none = answer(&question, 0x84, 0, &[(0, 0, 0, vec![0])]);
        assert!(matches!(read(&none, &question), Read::Whole(Answer::Nothing)), "the root: no such service");
    }

    #[test]
    fn broken_answers_are_no_answers() {
        let question = asked();
        let good = answer(&question, 0x84, 0, &[(1, 1, 389, label("dc1.ad.test")), (1, 1, 389, label("dc2.ad.test"))]);
        for cut in 0..good.len() {
            assert!(found(read(&good[..cut], &question)).is_none(), "{cut}");
        }
        for at in 0..good.len() {
            for octet in [0, 0x3f, 0x40, 0xc0, 0xff] {
                let mut bent = good.clone();
                bent[at] = octet;
                // Whatever comes out, it comes to an end.
                let _ = read(&bent, &question);
            }
        }
        // Where the first record's host begins: a name that goes on at itself has no end.
        let own = u8::try_from(question.len() + 12 + 6).unwrap();
        for host in
            [vec![0xc0, own], vec![0xc0, 0xff], vec![0x41, b'a', 0], [vec![4], b"a.b\0".to_vec(), vec![0]].concat()]
        {
            let octets = answer(&question, 0x84, 0, &[(1, 1, 389, host.clone())]);
            assert!(found(read(&octets, &question)).is_none(), "{host:?}");
        }
    }

    #[test]
    fn names_that_are_none_are_not_asked() {
        let long = format!("{}.test", "a".repeat(64));
        let longer = vec!["abcdefghi"; 30].join(".");
        for bad in ["", "a..b", long.as_str(), longer.as_str()] {
            assert!(question(bad, 1).is_none(), "{bad}");
        }
    }

    #[test]
    fn name_servers_are_read_from_resolv_conf() {
        let text =
            "# a comment\nsearch ad.test\nnameserver 10.0.0.1\nnameserver  fd00::1\noptions edns0\nnameserver x\n";
        assert_eq!(name_servers(text), ["10.0.0.1:53".parse().unwrap(), "[fd00::1]:53".parse().unwrap()]);
    }

    /// A name server that forges first, says that its answer is too long, and gives it by TCP.
    #[tokio::test]
    async fn asks_by_datagram_and_then_by_stream() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = listener.local_addr().unwrap();
        let datagrams = UdpSocket::bind(server).await.unwrap();
        let silent = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        tokio::spawn(async move {
            let mut buffer = [0; 512];
            let (length, peer) = datagrams.recv_from(&mut buffer).await.unwrap();
            let question = &buffer[..length];
            let mut forged = answer(question, 0x84, 0, &[(0, 0, 389, label("evil.ad.test"))]);
            forged[0] ^= 1;
            datagrams.send_to(&forged, peer).await.unwrap();
            datagrams.send_to(&answer(question, 0x86, 0, &[]), peer).await.unwrap();
            let (mut stream, _) = listener.accept().await.unwrap();
            let length = stream.read_u16().await.unwrap();
            let mut question = vec![0; usize::from(length)];
            stream.read_exact(&mut question).await.unwrap();
            let answer = answer(&question, 0x84, 0, &[(0, 0, 389, label("dc1.ad.test"))]);
            stream.write_u16(u16::try_from(answer.len()).unwrap()).await.unwrap();
            stream.write_all(&answer).await.unwrap();
        });
        let servers = [silent.local_addr().unwrap(), server];
        let limit = Duration::from_millis(1500);
        let records = look_up(&servers, NAME, &Fixed, limit).await.unwrap();
        assert_eq!(records.iter().map(|record| record.host.as_str()).collect::<Vec<_>>(), ["dc1.ad.test"]);
        let late = look_up(&servers[..1], NAME, &Fixed, Duration::from_millis(50)).await.unwrap_err();
        assert_eq!(late.kind(), ErrorKind::TimedOut);
        assert_eq!(look_up(&[], NAME, &Fixed, limit).await.unwrap_err().kind(), ErrorKind::NotFound);
    }
}

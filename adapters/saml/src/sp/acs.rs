//! The assertion consumer service: takes answers by HTTP-POST (SAML bindings 3.5).

use fedbridge_contract::http::HttpInput;
use fedbridge_contract::trace::TraceLog;
use fedbridge_contract::upstream::Correlation;
use fedbridge_saml_core::binding::post::PostForm;
use fedbridge_saml_core::binding::{BindingError, MAX_ENCODED, Parameter};

use super::checks::{Checked, Stop};
use super::complete::correlation;

/// Which transaction an answer names. Nothing is verified here.
pub(super) fn correlate(input: &HttpInput) -> Correlation {
    match form(input) {
        Ok(form) => correlation(form.relay_state),
        Err(why) => Correlation::Malformed(why.to_string()),
    }
}

/// The octets of the answer.
pub(super) fn octets(input: &HttpInput, trace: &mut TraceLog) -> Checked<Vec<u8>> {
    form(input).and_then(|form| form.xml()).map_err(|why| {
        let actual = why.to_string();
        match why {
            BindingError::TooLarge(size) => {
                trace.check("Size", "", format!("at most {MAX_ENCODED} octets"), format!("{size} octets"), false)
            }
            BindingError::NotBase64(_) => {
                trace.check("Base64", "SAML bindings 3.5.4", "base64 of RFC 2045", actual, false)
            }
            _ => {
                let expected = "one SAMLResponse and at most one RelayState";
                trace.check("Form", "SAML bindings 3.5.4", expected, actual, false)
            }
        };
        Stop::Rejected
    })
}

/// A posted answer; a request has no place here.
fn form(input: &HttpInput) -> Result<PostForm<'_>, BindingError> {
    let form = PostForm::read(input)?;
    match form.parameter {
        Parameter::SamlResponse => Ok(form),
        Parameter::SamlRequest => Err(BindingError::Misplaced("SAMLRequest")),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use fedbridge_contract::http::Method;
    use std::net::{IpAddr, Ipv4Addr};

    fn post(query: &str, body: &'static str) -> HttpInput {
        HttpInput {
            method: Method::Post,
            route: fedbridge_saml_core::names::ACS_ROUTE,
            rest: String::new(),
            query: query.into(),
            body: body.into(),
            content_type: Some("application/x-www-form-urlencoded; charset=UTF-8".into()),
            authorization: None,
            origin: None,
            accept_language: None,
            if_match: None,
            if_none_match: None,
            prefer: None,
            cookies: Vec::new(),
            peer: IpAddr::V4(Ipv4Addr::LOCALHOST),
        }
    }

    #[test]
    fn correlates_by_relay_state_alone() {
        let handle = |input: &HttpInput| correlate(input);
        let ours = "Ab-_".repeat(13) + "Ag";
        let body: &'static str = Box::leak(format!("SAMLResponse=eA&RelayState={ours}").into_boxed_str());
        assert_eq!(handle(&post("", body)), Correlation::Handle(ours));
        let unsolicited = |target: Option<&str>| Correlation::Unsolicited { target: target.map(str::to_owned) };
        assert_eq!(handle(&post("", "SAMLResponse=eA")), unsolicited(None));
        assert_eq!(handle(&post("", "SAMLResponse=eA&RelayState=")), unsolicited(None));
        let target = "SAMLResponse=eA&RelayState=https%3A%2F%2Fportal.example%2Fstart";
        assert_eq!(handle(&post("", target)), unsolicited(Some("https://portal.example/start")));
        let not_quite: &'static str =
            Box::leak(format!("SAMLResponse=eA&RelayState={}!", "A".repeat(53)).into_boxed_str());
        assert!(matches!(handle(&post("", not_quite)), Correlation::Unsolicited { target: Some(_) }));
        for (query, body) in [
            ("", "RelayState=abc"),
            ("", "SAMLResponse=&RelayState=abc"),
            ("", "SAMLResponse=eA&SAMLResponse=eB&RelayState=abc"),
            ("", "SAMLResponse=eA&RelayState=abc&RelayState=abd"),
            ("", "SAMLResponse=eA&SAMLRequest=eB&RelayState=abc"),
            ("RelayState=abd", "SAMLResponse=eA&RelayState=abc"),
            ("SAMLResponse=eB", "SAMLResponse=eA&RelayState=abc"),
        ] {
            assert!(matches!(handle(&post(query, body)), Correlation::Malformed(_)), "{query} {body}");
        }
        let mut json = post("", "SAMLResponse=eA&RelayState=abc");
        json.content_type = Some("application/json".into());
        assert!(matches!(correlate(&json), Correlation::Malformed(_)));
    }
}

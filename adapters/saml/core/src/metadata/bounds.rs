//! How much of one partner is read. Each key costs milliseconds and each address a place in memory, again
//! at every change of the configuration; so a role with more than any partner needs is refused, before
//! anything in it is looked at.

use samael::metadata::{Endpoint, IdpSsoDescriptor, IndexedEndpoint, KeyDescriptor, SpSsoDescriptor};

use super::parts::certificates;

/// Certificates for one use.
const KEYS: usize = 32;
/// Encryption methods of one key.
const METHODS: usize = 64;
const CONSUMERS: usize = 256;
/// Wanted attributes, of all sets together.
const ATTRIBUTES: usize = 256;
/// Addresses of one other kind, and formats of names.
const OTHERS: usize = 64;
/// Octets of an address, a format or a method.
const LENGTH: usize = 2048;

/// What a role has too much of, as sentences; none for every partner in its right mind.
pub(super) trait Bounded {
    fn too_much(&self) -> Vec<String>;
}

impl Bounded for IdpSsoDescriptor {
    fn too_much(&self) -> Vec<String> {
        let mut found = Exceeded::default();
        found.keys(&self.key_descriptors);
        found.number(self.single_sign_on_services.len(), "single sign-on addresses", OTHERS);
        found.number(self.single_logout_services.len(), "logout addresses", OTHERS);
        found.number(self.artifact_resolution_service.len(), "artifact resolution addresses", OTHERS);
        found.number(self.name_id_formats.len(), "formats of names", OTHERS);
        found.endpoints(&self.single_sign_on_services);
        found.endpoints(&self.single_logout_services);
        found.indexed(&self.artifact_resolution_service);
        found.length("a format of names", self.name_id_formats.iter().map(String::as_str));
        found.0
    }
}

impl Bounded for SpSsoDescriptor {
    fn too_much(&self) -> Vec<String> {
        let mut found = Exceeded::default();
        let logout = self.single_logout_services.as_deref().unwrap_or_default();
        let formats = self.name_id_formats.as_deref().unwrap_or_default();
        found.keys(self.key_descriptors.as_deref().unwrap_or_default());
        found.number(self.assertion_consumer_services.len(), "assertion consumer addresses", CONSUMERS);
        found.number(logout.len(), "logout addresses", OTHERS);
        found.number(formats.len(), "formats of names", OTHERS);
        let wanted = self.attribute_consuming_services.as_deref().unwrap_or_default();
        found.number(wanted.len(), "sets of wanted attributes", OTHERS);
        let attributes = || wanted.iter().flat_map(|service| &service.request_attributes);
        found.number(attributes().count(), "wanted attributes", ATTRIBUTES);
        let names = attributes().flat_map(|attribute| [Some(&attribute.name), attribute.friendly_name.as_ref()]);
        found.length("the name of an attribute", names.flatten().map(String::as_str));
        found.indexed(&self.assertion_consumer_services);
        found.endpoints(logout);
        found.length("a format of names", formats.iter().map(String::as_str));
        found.0
    }
}

#[derive(Default)]
struct Exceeded(Vec<String>);

impl Exceeded {
    fn keys(&mut self, keys: &[KeyDescriptor]) {
        for (usage, words) in [("signing", "signing certificates"), ("encryption", "encryption certificates")] {
            self.number(certificates(keys, usage).count(), words, KEYS);
        }
        let methods = |key: &KeyDescriptor| key.encryption_methods.as_ref().map_or(0, Vec::len);
        self.number(keys.iter().map(methods).max().unwrap_or(0), "encryption methods of one key", METHODS);
        let all = keys.iter().flat_map(|key| key.encryption_methods.iter().flatten());
        self.length("an encryption method", all.map(|method| method.algorithm.as_str()));
    }

    fn number(&mut self, count: usize, words: &str, most: usize) {
        if count > most {
            self.0.push(format!("the metadata has {count} {words}; at most {most} are accepted"));
        }
    }

    fn endpoints(&mut self, endpoints: &[Endpoint]) {
        let answers = endpoints.iter().filter_map(|endpoint| endpoint.response_location.as_deref());
        self.length("an address", endpoints.iter().map(|endpoint| endpoint.location.as_str()).chain(answers));
    }

    fn indexed(&mut self, endpoints: &[IndexedEndpoint]) {
        self.length("an address", endpoints.iter().map(|endpoint| endpoint.location.as_str()));
    }

    fn length<'a>(&mut self, words: &str, texts: impl Iterator<Item = &'a str>) {
        let longest = texts.map(str::len).max().unwrap_or(0);
        if longest > LENGTH {
            self.0.push(format!("the metadata has {words} of {longest} octets; at most {LENGTH} are accepted"));
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use fedbridge_contract::time::Timestamp;

    use crate::metadata::import::import;
    use crate::metadata::import_sp;
    use crate::names;
    use crate::testkit::{ScriptedIdp, ScriptedSp};

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    /// A role's document with `count` times `element` in it, its number in place of `%`.
    fn with(document: &str, before: &str, element: &str, count: usize) -> String {
        let more: String = (0..count).map(|number| element.replace('%', &(number + 100).to_string())).collect();
        assert!(document.contains(before), "{document}");
        document.replacen(before, &format!("{more}{before}"), 1)
    }

    fn why<T>(read: Result<T, Vec<fedbridge_contract::error::Complaint>>) -> String {
        read.err().map(|complaints| complaints.iter().map(ToString::to_string).collect()).unwrap_or_default()
    }

    fn of_sp(element: &str, count: usize) -> String {
        let sp = ScriptedSp::new("https://app.example", "https://app.example/acs").metadata();
        why(import_sp(with(&sp, &before(&sp, "AssertionConsumerService"), element, count).as_bytes(), None, NOW))
    }

    fn of_idp(element: &str, count: usize) -> String {
        let idp = ScriptedIdp::new("https://idp.example", "https://idp.example/sso").metadata();
        why(import(with(&idp, &before(&idp, "SingleSignOnService"), element, count).as_bytes(), None, NOW))
    }

    /// The start tag as the document writes it, with or without a prefix.
    fn before(document: &str, name: &str) -> String {
        let at = document.find(name).unwrap();
        document[document[..at].rfind('<').unwrap()..at + name.len()].to_owned()
    }

    fn element(name: &str, rest: &str) -> String {
        format!("<{name} xmlns=\"{}\" {rest}", names::METADATA)
    }

    #[test]
    fn a_role_with_more_than_anybody_needs_is_refused() {
        let acs = element(
            "AssertionConsumerService",
            &format!("index=\"%\" Binding=\"{}\" Location=\"https://app.example/%\"/>", names::BINDING_POST),
        );
        let slo = element(
            "SingleLogoutService",
            &format!("Binding=\"{}\" Location=\"https://app.example/%\"/>", names::BINDING_REDIRECT),
        );
        let resolver = element(
            "ArtifactResolutionService",
            &format!("index=\"%\" Binding=\"{}\" Location=\"https://idp.example/%\"/>", names::BINDING_SOAP),
        );
        let sso = slo.replace("SingleLogoutService", "SingleSignOnService");
        let format = element("NameIDFormat", ">urn:format:%</NameIDFormat>");
        let attribute = element("RequestedAttribute", "Name=\"urn:oid:%\"/>");
        let set = element("AttributeConsumingService", &format!("index=\"%\">{attribute}</AttributeConsumingService>"));
        let full = element(
            "AttributeConsumingService",
            &format!("index=\"%\">{}</AttributeConsumingService>", attribute.repeat(64)),
        );
        // Unreadable on purpose: they are counted before any is read.
        let key = element(
            "KeyDescriptor",
            &format!(
                "><KeyInfo xmlns=\"{}\"><X509Data><X509Certificate>%</X509Certificate></X509Data></KeyInfo></KeyDescriptor>",
                names::DSIG
            ),
        );
        type Read = fn(&str, usize) -> String;
        let rows: [(Read, &str, usize, &str); 10] = [
            (of_sp, &acs, 255, "257 assertion consumer addresses"),
            (of_sp, &slo, 64, "65 logout addresses"),
            (of_sp, &format, 64, "65 formats of names"),
            (of_sp, &set, 64, "65 sets of wanted attributes"),
            (of_sp, &full, 4, "320 wanted attributes"),
            (of_sp, &key, 31, "33 signing certificates"),
            (of_idp, &resolver, 64, "65 artifact resolution addresses"),
            (of_idp, &sso, 62, "65 single sign-on addresses"),
            (of_idp, &slo, 64, "65 logout addresses"),
            (of_idp, &key, 31, "33 signing certificates"),
        ];
        for (read, element, most, wanted) in rows {
            assert_eq!(read(element, most), "", "{wanted}: one less");
            let refused = read(element, most + 1);
            assert!(refused.contains(wanted) && refused.contains("are accepted"), "{wanted}: {refused}");
            assert!(!refused.contains("can't be used"), "{wanted}: it was read all the same: {refused}");
        }
        for (element, wanted) in [
            (acs.replace("app.example/", &format!("app.example/{}", "x".repeat(2048))), "an address of 20"),
            (
                slo.replace("Location", &format!("ResponseLocation=\"https://a/{}\" Location", "x".repeat(2048))),
                "an address",
            ),
            (format.replace("urn:format:", &"u".repeat(2049)), "a format of names of 20"),
        ] {
            assert!(of_sp(&element, 1).contains(wanted), "{wanted}");
        }
    }
}

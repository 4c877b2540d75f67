//! What `fedbridge check` says about the product at the other side. Advice alone: no setting is ever
//! changed by it.

use fedbridge_contract::upstream::{Finding, Level};
use fedbridge_saml_core::vendor::{Fit, Setting, Vendor};

use crate::settings::SubjectSource;
use crate::sp::ServiceProvider;

/// What the product is known for, and the settings that would fit it and are not made.
pub(crate) fn findings(sp: &ServiceProvider) -> Vec<Finding> {
    let Some(vendor) = Vendor::of(&sp.idp) else { return Vec::new() };
    let name = vendor.name;
    let known = vendor.known_for.iter().map(|note| format!("{name}: {note}"));
    let fits = vendor.fits.iter().filter(|fit| !holds(fit.setting, sp));
    let fits =
        fits.map(|Fit { setting, value, why }| format!("{name}: `{}: {value}` fits, because {why}", setting.name()));
    known.chain(fits).map(|text| Finding::new(Level::Advice, text)).collect()
}

/// Whether the connection does already what the advice would say.
fn holds(setting: Setting, sp: &ServiceProvider) -> bool {
    match setting {
        Setting::Issuers => !sp.settings.issuers.is_empty(),
        // Without an address nothing is sent, whatever the setting says.
        Setting::Logout => !sp.settings.logout || sp.idp.slo.is_empty(),
        Setting::SignRequests => sp.signs_requests(),
        Setting::Subject => sp.settings.subject_from != [SubjectSource::NameId],
    }
}

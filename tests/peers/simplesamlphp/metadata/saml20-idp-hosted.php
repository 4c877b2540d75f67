<?php

require_once dirname(__DIR__) . '/config/knobs.php';

$peerFilters = [];

// The NameID is made first, so that dropping an attribute later doesn't touch it.
if (peer_nameid_format() !== 'urn:oasis:names:tc:SAML:2.0:nameid-format:transient') {
    $peerFilters[10] = [
        'class' => 'saml:AttributeNameID',
        'attribute' => peer_knob('IDP_NAMEID_ATTRIBUTE', 'uid'),
        'Format' => peer_nameid_format(),
    ];
} else {
    $peerFilters[10] = ['class' => 'saml:TransientNameID'];
}

$dropped = peer_knob_list('IDP_DROP_ATTRIBUTES');
if ($dropped !== []) {
    $peerFilters[20] = [
        'class' => 'core:PHP',
        'code' => 'foreach (' . var_export($dropped, true) . ' as $name) { unset($attributes[$name]); }',
    ];
}

$attributeNames = peer_knob('IDP_ATTRIBUTE_NAMES', 'basic');
if ($attributeNames === 'oid') {
    $peerFilters[30] = ['class' => 'core:AttributeMap', 'name2oid'];
}

// SimpleSAMLphp writes the entity ID of the SP it answers into the AudienceRestriction.
$audience = peer_knob('IDP_AUDIENCE');
if ($audience !== '') {
    $peerFilters[90] = [
        'class' => 'core:PHP',
        'code' => '$state["SPMetadata"]["entityid"] = ' . var_export($audience, true) . ';',
    ];
}

$wantSignedRequests = peer_knob('IDP_WANT_SIGNED_REQUESTS', '0') === '1';

$metadata['http://127.0.0.1:' . getenv('PEER_PORT') . '/simplesaml/saml2/idp/metadata.php'] = [
    'host' => '__DEFAULT__',
    'auth' => 'people',
    'userid.attribute' => 'uid',
    'privatekey' => 'idp.key',
    'certificate' => 'idp.crt',
    'NameIDFormat' => peer_nameid_format(),
    'attributes.NameFormat' => $attributeNames === 'oid'
        ? 'urn:oasis:names:tc:SAML:2.0:attrname-format:uri'
        : 'urn:oasis:names:tc:SAML:2.0:attrname-format:basic',
    'SingleSignOnServiceBinding' => [
        'urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect',
        'urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST',
    ],
    'SingleLogoutServiceBinding' => [
        'urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect',
        'urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST',
    ],
    'validate.authnrequest' => $wantSignedRequests,
    'redirect.validate' => $wantSignedRequests,
    'sign.logout' => true,
    'saml20.sendartifact' => getenv('IDP_ARTIFACT') === '1',
    'assertion.lifetime' => (int) peer_knob('IDP_ASSERTION_LIFETIME', '300'),
    'authproc' => $peerFilters,
];

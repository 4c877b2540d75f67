<?php

$config = [
    'default-sp' => [
        'saml:SP',
        'entityID' => null, // the address of its metadata
        'privatekey' => 'sp.key',
        'certificate' => 'sp.crt',
        'signature.algorithm' => 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256',
        'sign.authnrequest' => true,
        'sign.logout' => true,
        'validate.logout' => true,
        'redirect.sign' => true,
        'redirect.validate' => true,
        'WantAssertionsSigned' => true,
        'assertion.encryption' => getenv('SP_WANT_ENCRYPTED') === '1',
        'NameIDPolicy' => (getenv('SP_NAMEID_FORMAT') ?: '') === ''
            ? []
            : ['Format' => getenv('SP_NAMEID_FORMAT'), 'AllowCreate' => true],
    ],
];

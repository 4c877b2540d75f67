<?php

// SimpleSAMLphp as a SAML identity provider for tests. Everything it writes goes below PEER_DIR.

$peerDir = getenv('PEER_DIR');

$config = [
    'baseurlpath' => 'http://127.0.0.1:' . getenv('PEER_PORT') . '/simplesaml/',
    'certdir' => $peerDir . '/keys/',
    'loggingdir' => $peerDir . '/log/',
    'datadir' => $peerDir . '/data/',
    'tempdir' => $peerDir . '/tmp',
    'metadatadir' => dirname(__DIR__) . '/metadata/',
    'attributenamemapdir' => '/etc/simplesamlphp/attributemap/',

    // A test machine has nobody to mail to and nothing to protect: salt and password are fixed.
    'technicalcontact_name' => 'Test',
    'technicalcontact_email' => 'na@example.org',
    'timezone' => 'UTC',
    'secretsalt' => 'fedbridge-test-peer-salt',
    'auth.adminpassword' => 'fedbridge-test-peer-admin',
    'admin.checkforupdates' => false,

    'showerrors' => true,
    'errorreporting' => false,
    'logging.level' => SimpleSAML\Logger::INFO,
    'logging.handler' => 'file',
    'logging.logfile' => 'simplesamlphp.log',
    'debug' => ['saml' => getenv('IDP_LOG_MESSAGES') === '1', 'backtraces' => true, 'validatexml' => false],

    'enable.saml20-idp' => true,
    'module.enable' => ['exampleauth' => true, 'core' => true, 'saml' => true],
    'metadata.sources' => [['type' => 'flatfile']],

    // Browsers keep Secure cookies away from plain http, even on loopback under some settings.
    // Artifacts wait in a database for their service provider.
    'store.type' => getenv('IDP_ARTIFACT') === '1' ? 'sql' : 'phpsession',
    'store.sql.dsn' => "sqlite:$peerDir/data/store.sqlite",
    'session.phpsession.savepath' => $peerDir . '/sessions',
    'session.cookie.secure' => false,
    'session.cookie.samesite' => null,
    'language.cookie.secure' => false,
    'language.cookie.samesite' => null,
    'language.available' => ['en'],
    'language.default' => 'en',
];

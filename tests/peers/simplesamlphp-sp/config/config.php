<?php

// SimpleSAMLphp as a SAML service provider for tests. Everything it writes goes below PEER_DIR.

$peerDir = getenv('PEER_DIR');
$peerPort = getenv('PEER_PORT');

$config = [
    'baseurlpath' => "http://127.0.0.1:$peerPort/simplesaml/",
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
    'debug' => ['saml' => getenv('SP_LOG_MESSAGES') === '1', 'backtraces' => true, 'validatexml' => false],

    'module.enable' => ['core' => true, 'saml' => true],
    'metadata.sources' => [['type' => 'flatfile']],

    // Only with a database does it find a session without a cookie, which a logout over SOAP needs.
    'store.type' => 'sql',
    'store.sql.dsn' => "sqlite:$peerDir/data/store.sqlite",
    // Cookies don't tell ports apart.
    'session.cookie.name' => "SimpleSAMLSessionID_$peerPort",
    'session.authtoken.cookiename' => "SimpleSAMLAuthToken_$peerPort",
    'session.cookie.secure' => false,
    'session.cookie.samesite' => null,
    'language.cookie.secure' => false,
    'language.cookie.samesite' => null,
    'language.available' => ['en'],
    'language.default' => 'en',
];

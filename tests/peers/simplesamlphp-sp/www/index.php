<?php

// The application behind SimpleSAMLphp: what the login told, as JSON.
require_once '/usr/share/simplesamlphp/lib/_autoload.php';

function answer(int $status, array $value): void
{
    http_response_code($status);
    header('Content-Type: application/json; charset=utf-8');
    header('Cache-Control: no-store');
    echo json_encode($value, JSON_PRETTY_PRINT | JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES), "\n";
}

$origin = 'http://127.0.0.1:' . getenv('PEER_PORT');
$login = new \SimpleSAML\Auth\Simple('default-sp');
$metadata = \SimpleSAML\Metadata\MetaDataStorageHandler::getMetadataHandler();

switch (parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH)) {
    case '/':
        $login->requireAuth(['saml:idp' => array_key_first($metadata->getList('saml20-idp-remote'))]);
        // Falls through: the person is known now.
    case '/session':
        if (!$login->isAuthenticated()) {
            answer(401, ['error' => 'not_logged_in']);
            break;
        }
        $nameId = $login->getAuthData('saml:sp:NameID');
        answer(200, [
            'peer' => 'simplesamlphp',
            'issuer' => $login->getAuthData('saml:sp:IdP'),
            'name_id' => $nameId->getValue(),
            'name_id_format' => $nameId->getFormat(),
            'name_qualifier' => $nameId->getNameQualifier(),
            'sp_name_qualifier' => $nameId->getSPNameQualifier(),
            'session_index' => $login->getAuthData('saml:sp:SessionIndex'),
            'attributes' => (object) $login->getAttributes(),
        ]);
        break;
    case '/logout':
        $login->logout("$origin/logged-out");
        break;
    case '/logged-out':
        answer(200, ['logged_out' => true]);
        break;
    default:
        answer(404, ['error' => 'not_found']);
}

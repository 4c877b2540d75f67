<?php

require_once dirname(__DIR__) . '/config/knobs.php';

// The service providers are read from their own metadata at every request: the SP may be started, or
// change its keys, after this IdP. Of an address that doesn't answer the last good copy is used.

function peer_sp_metadata(): ?string
{
    $file = peer_knob('SP_METADATA_FILE');
    if ($file !== '') {
        return is_file($file) ? (string) file_get_contents($file) : null;
    }
    $url = peer_knob('SP_METADATA_URL');
    if ($url === '') {
        return null;
    }
    $copy = getenv('PEER_DIR') . '/sp-metadata.xml';
    $xml = @file_get_contents($url, false, stream_context_create(['http' => ['timeout' => 3]]));
    if ($xml !== false) {
        file_put_contents("$copy." . getmypid(), $xml);
        rename("$copy." . getmypid(), $copy);
        return $xml;
    }
    return is_file($copy) ? (string) file_get_contents($copy) : null;
}

$peerXml = peer_sp_metadata();
$sign = peer_knob('IDP_SIGN', 'assertion');
$algorithms = [
    'sha1' => 'http://www.w3.org/2000/09/xmldsig#rsa-sha1',
    'sha256' => 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256',
    'sha384' => 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha384',
    'sha512' => 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha512',
];

$parsers = $peerXml === null ? [] : \SimpleSAML\Metadata\SAMLParser::parseDescriptorsString($peerXml);
foreach ($parsers as $entityId => $parser) {
    $entry = $parser->getMetadata20SP();
    if ($entry === null) {
        continue;
    }
    // These win over what the SP's metadata wishes (WantAssertionsSigned among them).
    $entry['saml20.sign.assertion'] = in_array($sign, ['assertion', 'both'], true);
    $entry['saml20.sign.response'] = in_array($sign, ['response', 'both'], true);
    $entry['assertion.encryption'] = peer_knob('IDP_ENCRYPT', '0') === '1';
    $entry['NameIDFormat'] = peer_nameid_format();
    $entry['signature.algorithm'] = $algorithms[peer_knob('IDP_SIGNATURE_HASH', 'sha256')];
    if (peer_knob('IDP_WRONG_KEY', '0') === '1') {
        // A key and certificate that the IdP's metadata doesn't name.
        $entry['signature.privatekey'] = 'unrelated.key';
        $entry['signature.certificate'] = 'unrelated.crt';
    }
    $metadata[$entityId] = $entry;
}

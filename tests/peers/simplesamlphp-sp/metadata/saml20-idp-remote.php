<?php

$peerXml = (string) file_get_contents(getenv('PEER_DIR') . '/idp-metadata.xml');
foreach (\SimpleSAML\Metadata\SAMLParser::parseDescriptorsString($peerXml) as $entityId => $parser) {
    $entry = $parser->getMetadata20IdP();
    if ($entry !== null) {
        $entry['sign.logout'] = true;
        $entry['validate.logout'] = true;
        $metadata[$entityId] = $entry;
    }
}

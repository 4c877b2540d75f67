<?php

// The peer's knobs: environment variables, overridden by PEER_DIR/knobs.json, which is read anew at
// every request, so that a test can change the IdP's behaviour while it runs.

function peer_knob(string $name, string $default = ''): string
{
    $file = getenv('PEER_DIR') . '/knobs.json';
    $overrides = is_file($file) ? json_decode((string) file_get_contents($file), true) : null;
    if (is_array($overrides) && array_key_exists($name, $overrides)) {
        $value = $overrides[$name];
        return is_bool($value) ? ($value ? '1' : '0') : (string) $value;
    }
    $value = getenv($name);
    return $value === false || $value === '' ? $default : $value;
}

/** @return string[] the words of a knob that holds a list separated by commas */
function peer_knob_list(string $name): array
{
    return array_values(array_filter(array_map('trim', explode(',', peer_knob($name))), 'strlen'));
}

/** The URI of the NameID format that IDP_NAMEID_FORMAT names; a value with a colon stands for itself. */
function peer_nameid_format(): string
{
    $format = peer_knob('IDP_NAMEID_FORMAT', 'persistent');
    $known = [
        'persistent' => 'urn:oasis:names:tc:SAML:2.0:nameid-format:persistent',
        'transient' => 'urn:oasis:names:tc:SAML:2.0:nameid-format:transient',
        'email' => 'urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress',
        'unspecified' => 'urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified',
    ];
    return $known[$format] ?? $format;
}

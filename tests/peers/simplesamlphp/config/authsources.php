<?php

// The people who can log in: user name, a colon, password. IDP_USERS_FILE (JSON of the same shape)
// adds more or replaces these.

$people = [
    'alice:alice-password' => [
        'uid' => ['alice'],
        'mail' => ['alice@acme.example'],
        'givenName' => ['Alice'],
        'sn' => ['Archer'],
        'displayName' => ['Alice Archer'],
        'eduPersonPrincipalName' => ['alice@acme.example'],
        'memberOf' => [
            'cn=employees,ou=groups,dc=acme,dc=example',
            'cn=admins,ou=groups,dc=acme,dc=example',
        ],
        'department' => ['engineering'],
    ],
    'bob:bob-password' => [
        'uid' => ['bob'],
        'mail' => ['bob@acme.example'],
        'givenName' => ['Bob'],
        'sn' => ['Bäcker'],
        'displayName' => ['Bob "Bobby" Bäcker'],
        'eduPersonPrincipalName' => ['bob@acme.example'],
        'memberOf' => ['cn=employees,ou=groups,dc=acme,dc=example'],
        'department' => ['sales & support'],
    ],
    'carol:carol-password' => [
        'uid' => ['carol'],
        'givenName' => ['Carol'],
        'sn' => ['Contractor'],
        'displayName' => ['Carol Contractor'],
        'eduPersonPrincipalName' => ['carol@partner.example'],
    ],
];

$usersFile = getenv('IDP_USERS_FILE');
if ($usersFile !== false && $usersFile !== '') {
    $more = json_decode((string) file_get_contents($usersFile), true);
    if (!is_array($more)) {
        throw new Exception("IDP_USERS_FILE $usersFile holds no JSON object");
    }
    $people = array_merge($people, $more);
}

$config = ['people' => array_merge(['exampleauth:UserPass'], $people)];

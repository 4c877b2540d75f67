//! German. People are addressed with "Sie".

mod errors;

/// By the English sentence: those of pages, then those of errors.
pub(super) fn words() -> impl Iterator<Item = &'static (&'static str, &'static str)> {
    PAGES.iter().chain(errors::WORDS)
}

/// Those of one place stand together.
const PAGES: &[(&str, &str)] = &[
    // Every page.
    ("Login by fedbridge", "Anmeldung mit fedbridge"),
    ("Log out", "Abmelden"),
    ("Logged in", "Angemeldet"),
    ("Logged out", "Abgemeldet"),
    ("Continue", "Weiter"),
    ("You can close this page.", "Sie können diese Seite schließen."),
    ("You are logged in at {tenant} as {person}.", "Sie sind bei {tenant} als {person} angemeldet."),
    // One moment.
    ("One moment", "Einen Moment"),
    ("You are being taken to {host}.", "Sie werden zu {host} weitergeleitet."),
    ("You are being taken on.", "Sie werden weitergeleitet."),
    (
        "Your browser runs no scripts. Press the button to go on.",
        "Ihr Browser führt keine Skripte aus. Klicken Sie auf die Schaltfläche, um fortzufahren.",
    ),
    // The choice of a connection.
    ("Choose how to log in", "Wie möchten Sie sich anmelden?"),
    ("You are going to {app}.", "Sie möchten zu {app}."),
    ("No way to log in is set up here.", "Hier ist keine Anmeldung eingerichtet."),
    ("Ways to log in", "Anmeldemöglichkeiten"),
    ("Single sign-on", "Single Sign-on"),
    ("User name and password", "Benutzername und Passwort"),
    // Consent.
    ("Allow access?", "Zugriff erlauben?"),
    ("{app} asks for access", "{app} bittet um Zugriff"),
    ("It asks for:", "Angefragt wird:"),
    ("It wants to know who you are.", "Die App möchte wissen, wer Sie sind."),
    ("The answer goes to {host}.", "Die Antwort geht an {host}."),
    (
        "Allow this only if you know the app and wanted to open it.",
        "Erlauben Sie dies nur, wenn Sie die App kennen und öffnen wollten.",
    ),
    ("Allow", "Erlauben"),
    ("Deny", "Ablehnen"),
    ("Your identity, so that it recognizes you", "Ihre Identität, um Sie wiederzuerkennen"),
    ("Your name and your profile", "Ihr Name und Ihr Profil"),
    ("Your e-mail address", "Ihre E-Mail-Adresse"),
    ("Whether your e-mail address is confirmed", "Ob Ihre E-Mail-Adresse bestätigt ist"),
    ("Your postal address", "Ihre Postanschrift"),
    ("Your phone number", "Ihre Telefonnummer"),
    ("Whether your phone number is confirmed", "Ob Ihre Telefonnummer bestätigt ist"),
    ("The groups that you belong to", "Die Gruppen, denen Sie angehören"),
    ("Your roles", "Ihre Rollen"),
    ("Your permissions", "Ihre Berechtigungen"),
    ("Your department", "Ihre Abteilung"),
    ("Access while you are away", "Zugriff auch in Ihrer Abwesenheit"),
    ("Your name", "Ihr Name"),
    ("Your first name", "Ihr Vorname"),
    ("Your middle name", "Ihr zweiter Vorname"),
    ("Your family name", "Ihr Nachname"),
    ("Your nickname", "Ihr Spitzname"),
    ("Your user name", "Ihr Benutzername"),
    ("Your picture", "Ihr Bild"),
    ("Your website", "Ihre Webseite"),
    ("Your gender", "Ihr Geschlecht"),
    ("Your date of birth", "Ihr Geburtsdatum"),
    ("Your time zone", "Ihre Zeitzone"),
    ("Your language", "Ihre Sprache"),
    ("When your profile was last changed", "Wann Ihr Profil zuletzt geändert wurde"),
    // A password is typed.
    ("Log in", "Anmelden"),
    ("Log in with {connection}", "Anmelden mit {connection}"),
    ("User name", "Benutzername"),
    ("User name or e-mail address", "Benutzername oder E-Mail-Adresse"),
    ("E-mail address", "E-Mail-Adresse"),
    ("Password", "Passwort"),
    ("Log in another way", "Anders anmelden"),
    ("Please type your user name and your password.", "Bitte geben Sie Ihren Benutzernamen und Ihr Passwort ein."),
    ("The user name or password is not right.", "Benutzername oder Passwort sind nicht richtig."),
    (
        "There were too many tries. Please wait {seconds} seconds, then try again.",
        "Das waren zu viele Versuche. Bitte warten Sie {seconds} Sekunden, und versuchen Sie es dann erneut.",
    ),
    (
        "Your account has expired. Please ask your administrator.",
        "Ihr Konto ist abgelaufen. Bitte fragen Sie Ihre Administration.",
    ),
    (
        "Your password has expired. Please ask your administrator.",
        "Ihr Passwort ist abgelaufen. Bitte fragen Sie Ihre Administration.",
    ),
    ("You may not log in at this time.", "Sie dürfen sich zu dieser Zeit nicht anmelden."),
    ("You may not log in from here.", "Sie dürfen sich von hier aus nicht anmelden."),
    // A new password.
    ("Choose a new password", "Neues Passwort wählen"),
    (
        "The password of {person} has to be changed before you can go on.",
        "Das Passwort von {person} muss geändert werden, bevor es weitergeht.",
    ),
    ("The password until now", "Bisheriges Passwort"),
    ("The new password", "Neues Passwort"),
    ("The new password once more", "Neues Passwort noch einmal"),
    ("Change the password", "Passwort ändern"),
    ("Please fill in all three fields.", "Bitte füllen Sie alle drei Felder aus."),
    ("The two new passwords are not the same.", "Die beiden neuen Passwörter stimmen nicht überein."),
    ("The password until now is not right.", "Das bisherige Passwort ist nicht richtig."),
    ("The new password was not accepted: {why}.", "Das neue Passwort wurde nicht angenommen: {why}."),
    // A second factor.
    ("Confirm that it is you", "Bestätigen Sie, dass Sie es sind"),
    (
        "The password of {person} was right. One more step keeps the account safe.",
        "Das Passwort von {person} war richtig. Ein weiterer Schritt schützt das Konto.",
    ),
    ("Use a passkey", "Passkey verwenden"),
    (
        "No passkey was used. You can try again.",
        "Es wurde kein Passkey verwendet. Sie können es noch einmal versuchen.",
    ),
    ("This browser can't use your passkey.", "Dieser Browser kann Ihren Passkey nicht verwenden."),
    ("Code from your authenticator app", "Code aus Ihrer Authenticator-App"),
    ("Use a recovery code", "Wiederherstellungscode verwenden"),
    ("Recovery code", "Wiederherstellungscode"),
    (
        "Without your device, type one of your recovery codes.",
        "Wenn Sie Ihr Gerät nicht zur Hand haben, geben Sie einen Ihrer Wiederherstellungscodes ein.",
    ),
    ("This code is not right, or was used before.", "Dieser Code ist nicht richtig oder wurde schon verwendet."),
    ("The passkey was not accepted.", "Der Passkey wurde nicht angenommen."),
    ("Set up a second step", "Zweiten Schritt einrichten"),
    (
        "From now on, {person} logs in with the password and with something that only you have.",
        "Künftig meldet sich {person} mit dem Passwort an und mit etwas, das nur Sie haben.",
    ),
    ("Recovery codes", "Wiederherstellungscodes"),
    (
        "Write these down and keep them safe. Each lets you in once when your device is not at hand. They are not shown \
         again.",
        "Schreiben Sie diese auf, und bewahren Sie sie sicher auf. Mit jedem können Sie sich einmal anmelden, wenn Ihr \
         Gerät nicht zur Hand ist. Sie werden nicht noch einmal angezeigt.",
    ),
    ("A passkey", "Ein Passkey"),
    (
        "Your device or a security key confirms that it is you. You need this or an authenticator app, not both.",
        "Ihr Gerät oder ein Sicherheitsschlüssel bestätigt, dass Sie es sind. Sie brauchen dies oder eine \
         Authenticator-App, nicht beides.",
    ),
    ("Set up a passkey", "Passkey einrichten"),
    (
        "No passkey was set up. You can try again.",
        "Es wurde kein Passkey eingerichtet. Sie können es noch einmal versuchen.",
    ),
    ("An authenticator app", "Eine Authenticator-App"),
    (
        "Add this key to your authenticator app, then type the code that it shows.",
        "Fügen Sie diesen Schlüssel Ihrer Authenticator-App hinzu, und geben Sie den angezeigten Code ein.",
    ),
    ("Open in an authenticator app on this device", "In einer Authenticator-App auf diesem Gerät öffnen"),
    ("Authenticator app", "Authenticator-App"),
    ("Passkey", "Passkey"),
    ("Second step at login", "Zweiter Schritt bei der Anmeldung"),
    ("Remove", "Entfernen"),
    (
        "Your administrator asks for a second step. Set up another one before you remove this one.",
        "Ihre Administration verlangt einen zweiten Schritt. Richten Sie einen anderen ein, bevor Sie diesen entfernen.",
    ),
    // Passwords for single apps.
    ("Passwords for single apps", "Passwörter für einzelne Apps"),
    (
        "For apps that can't open this login page. Such a password works in one app only, and you can take it back here.",
        "Für Apps, die diese Anmeldeseite nicht öffnen können. Ein solches Passwort gilt nur in einer App, und Sie können \
         es hier zurücknehmen.",
    ),
    ("Take back", "Zurücknehmen"),
    ("New password", "Neues Passwort erstellen"),
    ("Your new app password", "Ihr neues App-Passwort"),
    ("Your new password for {app}", "Ihr neues Passwort für {app}"),
    (
        "Type it into the app now, in the place of your password. It is not shown again.",
        "Geben Sie es jetzt in der App ein, anstelle Ihres Passworts. Es wird nicht noch einmal angezeigt.",
    ),
    ("Back to your account", "Zurück zu Ihrem Konto"),
    (
        "You have as many passwords for this app as there can be.",
        "Sie haben für diese App so viele Passwörter wie möglich.",
    ),
    // The account.
    ("Your account", "Ihr Konto"),
    ("Where you are logged in", "Wo Sie angemeldet sind"),
    ("Apps with access", "Apps mit Zugriff"),
    ("Ways to log in to this account", "Anmeldungen für dieses Konto"),
    ("Connect another login", "Weitere Anmeldung verbinden"),
    ("in use here", "hier in Gebrauch"),
    ("Since", "Seit"),
    ("End", "Beenden"),
    ("Take access away", "Zugriff entziehen"),
    ("Disconnect", "Trennen"),
    ("Connect", "Verbinden"),
    (
        "You will be asked to log in there, so that it is certain that both are yours.",
        "Sie werden gebeten, sich dort anzumelden, damit sicher ist, dass beides Ihnen gehört.",
    ),
    ("A login that is gone", "Eine Anmeldung, die es nicht mehr gibt"),
    ("Your account is switched off.", "Ihr Konto ist abgeschaltet."),
    ("Nothing was done.", "Es wurde nichts geändert."),
    (
        "This page was too old, or another page sent this. Nothing was done. Please go back and try again.",
        "Diese Seite war zu alt, oder eine andere Seite hat dies gesendet. Es wurde nichts geändert. Bitte gehen Sie \
         zurück, und versuchen Sie es erneut.",
    ),
    (
        "You are logged in with this login. Log in with another one to disconnect it.",
        "Sie sind mit dieser Anmeldung angemeldet. Melden Sie sich mit einer anderen an, um sie zu trennen.",
    ),
    (
        "This is the last way into your account. Connect another login before you disconnect it.",
        "Dies ist der letzte Weg in Ihr Konto. Verbinden Sie eine andere Anmeldung, bevor Sie diese trennen.",
    ),
    // A login to be connected.
    ("Connect this login?", "Diese Anmeldung verbinden?"),
    ("Connect a login", "Anmeldung verbinden"),
    (
        "From now on, both logins will open the same account at {tenant}.",
        "Künftig öffnen beide Anmeldungen dasselbe Konto bei {tenant}.",
    ),
    ("Your account, logged in with {connection}", "Ihr Konto, angemeldet mit {connection}"),
    ("The new login, with {connection}", "Die neue Anmeldung, mit {connection}"),
    (
        "Go on only if both are yours: whoever has one of them can open the account.",
        "Fahren Sie nur fort, wenn beide Ihnen gehören: Wer eine davon hat, kann das Konto öffnen.",
    ),
    ("Cancel", "Abbrechen"),
    (
        "Please log in again, then try once more.",
        "Bitte melden Sie sich noch einmal an, und versuchen Sie es dann erneut.",
    ),
    (
        "This login belongs to another account. Log in with it, and disconnect it there first.",
        "Diese Anmeldung gehört zu einem anderen Konto. Melden Sie sich damit an, und trennen Sie sie zuerst dort.",
    ),
    ("This login can't be connected.", "Diese Anmeldung kann nicht verbunden werden."),
    (
        "This login was connected with an account just now.",
        "Diese Anmeldung wurde gerade eben mit einem Konto verbunden.",
    ),
    (
        "This took too long, or was done before. Please start again on the page of your account.",
        "Das hat zu lange gedauert oder wurde schon erledigt. Bitte beginnen Sie auf der Seite Ihres Kontos von vorn.",
    ),
    (
        "You were logged out meanwhile. Please log in again.",
        "Sie wurden inzwischen abgemeldet. Bitte melden Sie sich noch einmal an.",
    ),
    // Logging out.
    ("Log out?", "Abmelden?"),
    ("Do you want to log out?", "Möchten Sie sich abmelden?"),
    (
        "This ends your login at {tenant} in this browser. To stay logged in, close this page.",
        "Damit endet Ihre Anmeldung bei {tenant} in diesem Browser. Um angemeldet zu bleiben, schließen Sie diese Seite.",
    ),
    ("Logging out", "Abmeldung"),
    ("Logging you out", "Sie werden abgemeldet"),
    (
        "Your login at {tenant} has ended. Your other applications are being told, which takes a few seconds at most.",
        "Ihre Anmeldung bei {tenant} ist beendet. Ihre anderen Anwendungen werden benachrichtigt; das dauert höchstens \
         einige Sekunden.",
    ),
    ("Go on without waiting", "Weiter, ohne zu warten"),
    ("Logout of an application", "Abmeldung einer Anwendung"),
    ("You are logged out", "Sie sind abgemeldet"),
    ("Your login at {tenant} has ended in this browser.", "Ihre Anmeldung bei {tenant} ist in diesem Browser beendet."),
    ("Still open elsewhere", "Anderswo noch offen"),
    (
        "These could not be told. Please log out there yourself, or close your browser:",
        "Diese konnten nicht benachrichtigt werden. Bitte melden Sie sich dort selbst ab, oder schließen Sie Ihren \
         Browser:",
    ),
    ("Logged out there as well", "Dort ebenfalls abgemeldet"),
    ("These know that you have logged out:", "Diese wissen, dass Sie sich abgemeldet haben:"),
    ("a login provider that is gone", "ein Anmeldedienst, den es nicht mehr gibt"),
    ("an app that is gone", "eine App, die es nicht mehr gibt"),
    ("{going_on} sessions elsewhere, which go on", "{going_on} Sitzungen anderswo, die weiterlaufen"),
    ("Back", "Zurück"),
    ("Back to {app}", "Zurück zu {app}"),
    ("Done", "Fertig"),
    (
        "This part of your logout at {tenant} is over. You can close this page.",
        "Dieser Teil Ihrer Abmeldung bei {tenant} ist erledigt. Sie können diese Seite schließen.",
    ),
    // Logged in, and no app asked.
    ("You are logged in", "Sie sind angemeldet"),
    (
        "You can open your apps now, or close this page.",
        "Sie können jetzt Ihre Apps öffnen oder diese Seite schließen.",
    ),
    ("Person", "Person"),
    ("Logged in with", "Angemeldet mit"),
];

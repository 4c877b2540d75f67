//! What a person reads where something went wrong.

/// As those of the pages.
pub(super) const WORDS: &[(&str, &str)] = &[
    // Errors: what all of them have.
    ("No access", "Kein Zugriff"),
    ("Nothing here", "Hier ist nichts"),
    ("Too many attempts", "Zu viele Versuche"),
    ("Not available right now", "Zurzeit nicht verfügbar"),
    ("Something went wrong", "Etwas ist schiefgegangen"),
    ("This did not work", "Das hat nicht funktioniert"),
    ("Trace", "Trace"),
    (
        "If this goes on, give the trace to your administrator. It shows what happened.",
        "Wenn das wieder vorkommt, geben Sie den Trace an Ihre Administration weiter. Er zeigt, was geschehen ist.",
    ),
    ("Try again", "Erneut versuchen"),
    // Errors: requests that can't be read.
    ("There is nothing at this address.", "Unter dieser Adresse gibt es nichts."),
    ("There is no such page.", "Diese Seite gibt es nicht."),
    ("This address does not take requests of this kind.", "Diese Adresse nimmt keine Anfragen dieser Art an."),
    ("The address of this request is too long.", "Die Adresse dieser Anfrage ist zu lang."),
    ("The headers of this request are too large.", "Die Kopfzeilen dieser Anfrage sind zu groß."),
    ("This request is too large.", "Diese Anfrage ist zu groß."),
    ("This request took too long to arrive.", "Diese Anfrage hat zu lange gebraucht."),
    ("This request did not arrive whole.", "Diese Anfrage ist nicht vollständig angekommen."),
    ("This address does not take compressed requests.", "Diese Adresse nimmt keine komprimierten Anfragen an."),
    ("A header of this request is malformed.", "Eine Kopfzeile dieser Anfrage ist fehlerhaft."),
    (
        "This is a fault on our side. Please try again in a moment.",
        "Der Fehler liegt bei uns. Bitte versuchen Sie es gleich noch einmal.",
    ),
    ("Something went wrong here. Please try again.", "Hier ist etwas schiefgegangen. Bitte versuchen Sie es erneut."),
    (
        "Something went wrong here. Please start again at the app.",
        "Hier ist etwas schiefgegangen. Bitte beginnen Sie in der App von vorn.",
    ),
    (
        "The service can't answer at the moment. Please try again.",
        "Der Dienst kann gerade nicht antworten. Bitte versuchen Sie es erneut.",
    ),
    (
        "Too many logins are under way at the moment. Please try again in a minute.",
        "Gerade laufen zu viele Anmeldungen. Bitte versuchen Sie es in einer Minute erneut.",
    ),
    (
        "Too many messages are under way at the moment. Please try again in a minute.",
        "Gerade sind zu viele Nachrichten unterwegs. Bitte versuchen Sie es in einer Minute erneut.",
    ),
    // Errors: logins.
    ("This application is not known here.", "Diese Anwendung ist hier nicht bekannt."),
    (
        "This way to log in is not available for this application.",
        "Diese Anmeldung steht für diese Anwendung nicht zur Verfügung.",
    ),
    ("This way to log in is not available.", "Diese Anmeldung steht nicht zur Verfügung."),
    ("No way to log in is set up for this application.", "Für diese Anwendung ist keine Anmeldung eingerichtet."),
    ("This way to log in is not set up correctly.", "Diese Anmeldung ist nicht richtig eingerichtet."),
    ("You may not log in to this application.", "Sie dürfen sich bei dieser Anwendung nicht anmelden."),
    ("Nobody is logged in.", "Niemand ist angemeldet."),
    ("Somebody else is logged in.", "Jemand anderes ist angemeldet."),
    (
        "Somebody else is logged in here. Log out first, then start again.",
        "Hier ist jemand anderes angemeldet. Melden Sie sich zuerst ab, und beginnen Sie dann von vorn.",
    ),
    ("Please log in again.", "Bitte melden Sie sich noch einmal an."),
    (
        "This login was used before, or took too long. Please start again.",
        "Diese Anmeldung wurde schon verwendet oder hat zu lange gedauert. Bitte beginnen Sie von vorn.",
    ),
    (
        "This login was used before. Please start again.",
        "Diese Anmeldung wurde schon verwendet. Bitte beginnen Sie von vorn.",
    ),
    (
        "This login has expired. Please start again at the app.",
        "Diese Anmeldung ist abgelaufen. Bitte beginnen Sie in der App von vorn.",
    ),
    ("The person did not agree.", "Die Person hat nicht zugestimmt."),
    ("The person has not agreed yet.", "Die Person hat noch nicht zugestimmt."),
    (
        "Somebody with your e-mail address has an account here already. If that is you, log in as before, and connect \
         this login on the page of your account.",
        "Mit Ihrer E-Mail-Adresse gibt es hier schon ein Konto. Wenn es Ihres ist, melden Sie sich wie bisher an, und \
         verbinden Sie diese Anmeldung auf der Seite Ihres Kontos.",
    ),
    ("Log in with {connection}, as before", "Wie bisher mit {connection} anmelden"),
    ("Is this your first time here?", "Sind Sie zum ersten Mal hier?"),
    (
        "If you are somebody else who shares this address, you get an account of your own. You will not be asked again.",
        "Wenn Sie jemand anderes mit derselben Adresse sind, erhalten Sie ein eigenes Konto. Sie werden nicht noch \
         einmal gefragt.",
    ),
    ("I am somebody else", "Ich bin jemand anderes"),
    (
        "Somebody with your e-mail address has an account here already. Please ask your administrator.",
        "Mit Ihrer E-Mail-Adresse gibt es hier schon ein Konto. Bitte fragen Sie Ihre Administration.",
    ),
    (
        "The login provider of your account was replaced by another one. Please ask your administrator.",
        "Der Anmeldedienst Ihres Kontos wurde durch einen anderen ersetzt. Bitte fragen Sie Ihre Administration.",
    ),
    (
        "Your organization's login service has ended this login. Please log in again.",
        "Der Anmeldedienst Ihrer Organisation hat diese Anmeldung beendet. Bitte melden Sie sich noch einmal an.",
    ),
    (
        "Your organization's login service could not be asked. Please try again later.",
        "Der Anmeldedienst Ihrer Organisation war nicht zu erreichen. Bitte versuchen Sie es später erneut.",
    ),
    ("Your login provider did not let you in.", "Ihr Anmeldedienst hat Sie nicht zugelassen."),
    (
        "Your login provider can't authenticate you as strongly as asked.",
        "Ihr Anmeldedienst kann Sie nicht so sicher authentifizieren wie verlangt.",
    ),
    ("Your login provider could not log you in.", "Ihr Anmeldedienst konnte Sie nicht anmelden."),
    (
        "The answer of your login provider could not be accepted.",
        "Die Antwort Ihres Anmeldedienstes konnte nicht angenommen werden.",
    ),
    (
        "The answer of your organization's login service could not be accepted.",
        "Die Antwort des Anmeldedienstes Ihrer Organisation konnte nicht angenommen werden.",
    ),
    (
        "The login service of your organization could not be reached yet. Try again in a minute.",
        "Der Anmeldedienst Ihrer Organisation war noch nicht zu erreichen. Versuchen Sie es in einer Minute erneut.",
    ),
    ("The login can't be started at the moment.", "Die Anmeldung kann gerade nicht begonnen werden."),
    (
        "The login can't go on at the moment. Please try again.",
        "Die Anmeldung kann gerade nicht fortgesetzt werden. Bitte versuchen Sie es erneut.",
    ),
    (
        "The login can't be finished at the moment. Please try again.",
        "Die Anmeldung kann gerade nicht abgeschlossen werden. Bitte versuchen Sie es erneut.",
    ),
    (
        "The login did not reach the authentication context that the app requires.",
        "Die Anmeldung war nicht so sicher, wie die App es verlangt.",
    ),
    (
        "The app asked for a fresh login, and the organization's login service did not ask the person again.",
        "Die App wollte eine neue Anmeldung, und der Anmeldedienst der Organisation hat nicht noch einmal gefragt.",
    ),
    (
        "The app asked for another person than the one who is logged in.",
        "Die App wollte eine andere Person als die, die angemeldet ist.",
    ),
    (
        "The person has no name at this app yet, and the request does not allow making one.",
        "Die Person hat bei dieser App noch keinen Namen, und die Anfrage erlaubt nicht, einen anzulegen.",
    ),
    (
        "The app names people by their e-mail address, and this person's is not verified.",
        "Die App benennt Personen nach ihrer E-Mail-Adresse, und die dieser Person ist nicht bestätigt.",
    ),
    (
        "The person's name at this app would be empty, too long, or hold unusable characters.",
        "Der Name der Person bei dieser App wäre leer, zu lang oder enthielte unbrauchbare Zeichen.",
    ),
    (
        "The person has no value for the name that this app uses.",
        "Die Person hat keinen Wert für den Namen, den diese App verwendet.",
    ),
    // Errors: apps and their requests.
    (
        "The app's request is too large, so the login can't start.",
        "Die Anfrage der App ist zu groß; die Anmeldung kann nicht beginnen.",
    ),
    (
        "The app did not say who it is, so the login can't start.",
        "Die App hat nicht gesagt, wer sie ist; die Anmeldung kann nicht beginnen.",
    ),
    (
        "This app is not registered here, so the login can't start.",
        "Diese App ist hier nicht registriert; die Anmeldung kann nicht beginnen.",
    ),
    (
        "The app's request could not be accepted, so the login can't start.",
        "Die Anfrage der App konnte nicht angenommen werden; die Anmeldung kann nicht beginnen.",
    ),
    (
        "The app's settings can't be read here. Please tell an administrator.",
        "Die Einstellungen der App sind hier nicht lesbar. Bitte sagen Sie Ihrer Administration Bescheid.",
    ),
    (
        "The app did not say where to go after the login.",
        "Die App hat nicht gesagt, wohin es nach der Anmeldung gehen soll.",
    ),
    (
        "The app asked to return to an address that is not registered for it.",
        "Die App wollte zu einer Adresse zurück, die für sie nicht registriert ist.",
    ),
    ("This app can't be used for logins at the moment.", "Diese App kann gerade nicht für Anmeldungen benutzt werden."),
    (
        "The app's redirect_uris could not be confirmed. Its administrator should check that the list at the app's \
         sector_identifier_uri can be read and has all of them.",
        "Die redirect_uris der App konnten nicht bestätigt werden. Ihre Administration sollte prüfen, ob die Liste unter \
         der sector_identifier_uri der App lesbar ist und alle enthält.",
    ),
    (
        "The app's address was taken out of its registration during the login. Please start again.",
        "Die Adresse der App wurde während der Anmeldung aus ihrer Registrierung entfernt. Bitte beginnen Sie von vorn.",
    ),
    (
        "The app's registration was changed during the login. Please start again at the app.",
        "Die Registrierung der App wurde während der Anmeldung geändert. Bitte beginnen Sie in der App von vorn.",
    ),
    (
        "There is no app of this name where a login could start here.",
        "Es gibt hier keine App dieses Namens, bei der eine Anmeldung beginnen könnte.",
    ),
    (
        "The page that should be opened after the login is not registered for this app.",
        "Die Seite, die nach der Anmeldung geöffnet werden sollte, ist für diese App nicht registriert.",
    ),
    (
        "This app has no address that a login could be sent to.",
        "Diese App hat keine Adresse, an die eine Anmeldung geschickt werden könnte.",
    ),
    (
        "The answer to the app could not be signed here. Please tell an administrator.",
        "Die Antwort an die App konnte hier nicht signiert werden. Bitte sagen Sie Ihrer Administration Bescheid.",
    ),
    (
        "The request allows no further provider, and people log in at another one.",
        "Die Anfrage erlaubt keinen weiteren Anmeldedienst, und die Anmeldung findet bei einem anderen statt.",
    ),
    (
        "None of the requested authentication contexts is available for this app.",
        "Keine der verlangten Arten der Anmeldung steht für diese App zur Verfügung.",
    ),
    (
        "The request names the person in a form that is not supported here.",
        "Die Anfrage benennt die Person in einer Form, die hier nicht unterstützt wird.",
    ),
    (
        "The requested format of the name is not available for this app.",
        "Das verlangte Format des Namens steht für diese App nicht zur Verfügung.",
    ),
    (
        "The request asks for a name in the name space of another app.",
        "Die Anfrage verlangt einen Namen aus dem Namensraum einer anderen App.",
    ),
    ("The metadata can't be signed at the moment.", "Die Metadaten können gerade nicht signiert werden."),
    // Errors: logouts.
    (
        "You are logged out here. Other applications will be told.",
        "Sie sind hier abgemeldet. Andere Anwendungen werden benachrichtigt.",
    ),
    ("This logout is over, or was never begun here.", "Diese Abmeldung ist vorbei oder wurde hier nie begonnen."),
    ("This logout request was used before.", "Diese Abmeldeanfrage wurde schon verwendet."),
    (
        "The app's logout request has a parameter twice. Nobody was logged out.",
        "Die Abmeldeanfrage der App enthält einen Parameter zweimal. Niemand wurde abgemeldet.",
    ),
    (
        "The app's logout request names two different apps. Nobody was logged out.",
        "Die Abmeldeanfrage der App nennt zwei verschiedene Apps. Niemand wurde abgemeldet.",
    ),
    (
        "The logout request comes from an app that is not registered here. Nobody was logged out.",
        "Die Abmeldeanfrage kommt von einer App, die hier nicht registriert ist. Niemand wurde abgemeldet.",
    ),
    (
        "The app's settings can't be read. Nobody was logged out.",
        "Die Einstellungen der App sind nicht lesbar. Niemand wurde abgemeldet.",
    ),
    (
        "The app asked to return to an address that is not registered for it. Nobody was logged out.",
        "Die App wollte zu einer Adresse zurück, die für sie nicht registriert ist. Niemand wurde abgemeldet.",
    ),
    (
        "The logout message of your organization's login service could not be accepted.",
        "Die Abmeldenachricht des Anmeldedienstes Ihrer Organisation konnte nicht angenommen werden.",
    ),
    (
        "The login service can't be told of the logout at the moment.",
        "Der Anmeldedienst kann gerade nicht von der Abmeldung benachrichtigt werden.",
    ),
    (
        "This answer of your login service belongs to no logout that was begun here.",
        "Diese Antwort Ihres Anmeldedienstes gehört zu keiner Abmeldung, die hier begonnen wurde.",
    ),
    ("The app's logout message could not be accepted.", "Die Abmeldenachricht der App konnte nicht angenommen werden."),
    ("The app can't be told of the logout.", "Die App kann nicht von der Abmeldung benachrichtigt werden."),
    ("The answer could not be signed.", "Die Antwort konnte nicht signiert werden."),
];

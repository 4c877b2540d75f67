// A person with passkeys: Chromium's virtual authenticators (WebDriver's, by the DevTools protocol) stand for a laptop
// and a security key. What each step led to goes to standard output as JSON. Settings: ../README.md.
import { createServer } from 'node:http';
import { withBrowser } from './browser.mjs';

const env = process.env;
for (const name of ['START_URL', 'ACCOUNT_URL', 'APP_PORT', 'LOGIN_USER', 'LOGIN_PASSWORD']) {
  if (!env[name]) {
    console.error(`${name} is not set: tests/peers/README.md lists the settings of passkeys.mjs`);
    process.exit(2);
  }
}
const LAPTOP = { protocol: 'ctap2', transport: 'internal', hasUserVerification: true, isUserVerified: true };
// It has no way to know who touches it.
const KEY = { protocol: 'ctap2', transport: 'usb', hasUserVerification: false };
const faults = [];
const steps = {};
const deadline = Date.now() + Number(env.TIMEOUT_MS || 60_000);
const app = createServer((request, response) => response.end('the app')).listen(Number(env.APP_PORT), '127.0.0.1');

process.exitCode = await withBrowser({ locale: 'en-US' }, async (context) => {
  const page = await context.newPage();
  watch(page);
  try {
    await walk(context, page);
    console.log(JSON.stringify({ ok: true, steps, faults }, null, 2));
    return 0;
  } catch (error) {
    const body = await page.evaluate(() => document.body?.innerText ?? '').catch(() => '');
    console.log(JSON.stringify({ ok: false, error: error.message, url: page.url(), body, steps, faults }, null, 2));
    return 1;
  } finally {
    app.close();
    app.closeAllConnections();
  }
});

async function walk(context, page) {
  const devices = await context.newCDPSession(page);
  await devices.send('WebAuthn.enable');
  const laptop = await device(devices, LAPTOP);

  // The tenant asks for a second factor, and the person has none.
  await logIn(page);
  steps.offered = await page.locator('form.passkey:visible').count();
  steps.enrolled = await press(page);
  steps.credentials = (await laptop.credentials()).map(({ rpId, isResidentCredential }) => ({ rpId, isResidentCredential }));

  await logIn(page);
  steps.again = await press(page);

  // A copy of the key has counted less than the key itself.
  const [first] = await laptop.credentials();
  await laptop.holds([{ ...first, signCount: 0 }]);
  await logIn(page);
  steps.copied = await press(page);

  await laptop.holds([]);
  await logIn(page);
  steps.none = await press(page);

  const original = { ...first, signCount: first.signCount + 10 };
  await laptop.holds([original]);
  await logIn(page);
  steps.original = await press(page);

  // A second one is set up on the account page, and not at the same device.
  await page.goto(env.ACCOUNT_URL);
  await page.getByRole('button', { name: 'Set up a second step' }).click();
  await page.waitForURL(/\/account\/factor$/);
  steps.twice = await press(page);
  await laptop.remove();
  const key = await device(devices, KEY);
  await page.locator('form.passkey button').click();
  await page.waitForURL(/\/account$/);
  steps.rows = await factors(page).allInnerTexts();

  // One step beside a password: who touches the key need not be known to it.
  await logIn(page);
  steps.unverified = await press(page);

  // A page waits for either of them, while the first one is removed in another window.
  await logIn(page);
  steps.asked = await page.evaluate(() => JSON.parse(document.querySelector('form.passkey').dataset.options));
  const other = await context.newPage();
  watch(other);
  await other.goto(env.ACCOUNT_URL);
  await factors(other).first().getByRole('button').click();
  await other.waitForURL(/\/account$/);
  steps.left = await factors(other).count();
  const [second] = await key.credentials();
  await key.remove();
  const again = await device(devices, LAPTOP);
  await again.holds([{ ...original, signCount: 1000 }]);
  steps.removed = await press(page);
  await again.remove();
  const still = await device(devices, KEY);
  await still.holds([second]);
  await logIn(page);
  steps.other = await press(page);

  // The last one stays, for the tenant asks for one.
  await other.goto(env.ACCOUNT_URL);
  await factors(other).first().getByRole('button').click();
  await other.getByRole('heading', { level: 1 }).waitFor();
  steps.last = await other.evaluate(() => document.querySelector('main').innerText);

  // Nothing but the page's own script runs in it. The browser says that it has blocked this one.
  await logIn(page);
  page.removeAllListeners('console');
  steps.injected = await page.evaluate(() => {
    const script = document.createElement('script');
    script.textContent = 'window.injected = true';
    document.body.append(script);
    return window.injected === true;
  });
}

// Asks for a login of its own, up to the page behind the password.
async function logIn(page) {
  await page.goto(`${env.START_URL}&prompt=login`);
  await page.fill('#name', env.LOGIN_USER);
  await page.fill('#password', env.LOGIN_PASSWORD);
  await page.press('#password', 'Enter');
  await page.locator('form.passkey').waitFor({ state: 'attached', timeout: left() });
}

// Presses the button of the passkey; gives the code that the app got, or what the page complains of.
async function press(page) {
  await page.locator('form.passkey button').click({ timeout: left() });
  while (left() > 1) {
    const url = new URL(page.url());
    if (url.port === env.APP_PORT) return { code: url.searchParams.get('code') };
    const [said] = await page.locator('.complaint:visible').allInnerTexts().catch(() => []);
    if (said) return { said };
    await page.waitForTimeout(50);
  }
  throw new Error('the passkey led nowhere within the time limit');
}

function factors(page) {
  return page.locator('section', { has: page.getByRole('heading', { name: 'Second step at login' }) }).locator('.row');
}

async function device(devices, options) {
  const { authenticatorId } = await devices.send('WebAuthn.addVirtualAuthenticator', {
    options: { ...options, hasResidentKey: false, automaticPresenceSimulation: true },
  });
  const credentials = async () => (await devices.send('WebAuthn.getCredentials', { authenticatorId })).credentials;
  const holds = async (all) => {
    await devices.send('WebAuthn.clearCredentials', { authenticatorId });
    for (const credential of all) await devices.send('WebAuthn.addCredential', { authenticatorId, credential });
  };
  return { credentials, holds, remove: () => devices.send('WebAuthn.removeVirtualAuthenticator', { authenticatorId }) };
}

// What the page's policy does not let in is told on the console.
function watch(page) {
  page.on('console', (message) => {
    const ownStatus = message.text().startsWith('Failed to load resource') && message.location().url.startsWith(new URL(env.START_URL).origin);
    if (message.type() === 'error' && !ownStatus) faults.push(`${page.url()}: ${message.text()}`);
  });
  page.on('pageerror', (error) => faults.push(`${page.url()}: ${error.message}`));
}

function left() {
  return Math.max(1, deadline - Date.now());
}

// Logs a person in with Chromium: START_URL, through an optional chooser page, the login forms of identity
// providers and the buttons that they have besides, until the page with EXPECT_TEXT. The result goes to standard
// output as JSON. Settings: ../README.md.
import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { withBrowser } from './browser.mjs';

const env = process.env;
if (!env.START_URL) {
  console.error('START_URL is not set: tests/peers/README.md lists the settings of login.mjs');
  process.exit(2);
}
const expected = env.EXPECT_TEXT || '"sub"';
const clicks = (env.CLICK || '').split('|').filter(Boolean);
// SimpleSAMLphp's, Keycloak's and oidc-provider's name, and LemonLDAP::NG's.
const userField = 'input[name="username"], input[name="user"]';
const passwordField = 'input[name="password"]';
const visited = [];
let deadline; // runs from the moment when the browser is up

process.exitCode = await withBrowser({ locale: 'en-US' }, async (context) => {
  deadline = Date.now() + Number(env.TIMEOUT_MS || 30_000);
  const page = context.pages()[0] ?? (await context.newPage());
  let status = null;
  page.on('request', (request) => {
    if (request.isNavigationRequest() && request.frame() === page.mainFrame()) visited.push(withoutQuery(request.url()));
  });
  page.on('response', (response) => {
    if (response.frame() === page.mainFrame() && response.request().isNavigationRequest()) status = response.status();
  });
  try {
    await page.goto(env.START_URL, { timeout: left() });
    await walk(page);
    const result = { ok: true, ...(await describe(page)), status, visited: [...visited] };
    result.then = [];
    for (const url of (env.THEN_URLS || '').split(/\s+/).filter(Boolean)) {
      status = null;
      await page.goto(url, { timeout: left() });
      if (env.THEN_LOGIN === '1') await walk(page);
      else await settle(page);
      result.then.push({ ...(await describe(page)), status });
    }
    console.log(JSON.stringify(result, null, 2));
    return 0;
  } catch (error) {
    const screenshot = await takeScreenshot(page);
    const last = await describe(page).catch(() => ({ url: page.url() }));
    console.log(JSON.stringify({ ok: false, error: firstLine(error), ...last, status, visited, screenshot }, null, 2));
    console.error(`the login did not end as expected: ${firstLine(error)}; screenshot: ${screenshot}`);
    return 1;
  }
});

// Answers each page by what is on it, until the expected text stands there.
async function walk(page) {
  let chosen = false;
  const submitted = new Set(); // origins of forms that were filled in: each takes one try
  while (left() > 1) {
    const step = await look(page, { chosen, submitted }).catch(ignoreNavigation);
    if (step === 'arrived') return;
    if (step === 'rejected') throw new Error('the IdP refused the user name or password');
    if (step === 'choose') {
      await chooser(page).click({ timeout: left() });
      chosen = true;
    } else if (step === 'form') {
      submitted.add(originOf(page));
      await page.fill(userField, env.LOGIN_USER || 'alice');
      await page.fill(passwordField, env.LOGIN_PASSWORD || 'alice-password');
      await leave(page, () => page.press(passwordField, 'Enter'));
    } else if (step === 'click') {
      const button = await buttonToClick(page);
      if (button) await leave(page, () => button.click({ timeout: left() }));
    } else {
      await page.waitForTimeout(50);
    }
  }
  throw new Error(`no page with the text ${JSON.stringify(expected)} within the time limit`);
}

async function look(page, { chosen, submitted }) {
  if (await page.locator(passwordField).count()) return submitted.has(originOf(page)) ? 'rejected' : 'form';
  if (env.CHOOSE && !chosen && (await chooser(page).count())) return 'choose';
  const text = await bodyText(page);
  if (text.includes(expected) && (!env.EXPECT_URL || page.url().startsWith(env.EXPECT_URL))) return 'arrived';
  return (await buttonToClick(page)) ? 'click' : 'wait';
}

// The first button of CLICK that the page has.
async function buttonToClick(page) {
  for (const name of clicks) {
    const button = page.getByRole('button', { name, exact: true });
    if (await button.count()) return button.first();
  }
  return null;
}

// Does what leads to another page, and waits until that one is there.
async function leave(page, act) {
  await Promise.all([page.waitForNavigation({ waitUntil: 'commit', timeout: left() }), act()]);
}

// Waits until a page has stopped moving on by itself, as one that posts its own form does, and has no button of CLICK.
async function settle(page) {
  while (left() > 1) {
    await page.waitForLoadState('networkidle', { timeout: left() });
    const button = await buttonToClick(page);
    if (!button) return;
    await leave(page, () => button.click({ timeout: left() }));
  }
}

// A link or button of the chooser page, by its visible name.
function chooser(page) {
  return page.getByRole('link', { name: env.CHOOSE }).or(page.getByRole('button', { name: env.CHOOSE })).first();
}

async function describe(page) {
  const body = await bodyText(page);
  let parsed;
  try {
    parsed = JSON.parse(body);
  } catch {
    parsed = null; // an ordinary page
  }
  return { url: page.url(), title: await page.title(), body, json: parsed };
}

async function bodyText(page) {
  return page.evaluate(() => document.body?.innerText ?? '');
}

async function takeScreenshot(page) {
  const folder = env.SCREENSHOT_DIR || join(tmpdir(), 'fedbridge-screenshots');
  await mkdir(folder, { recursive: true });
  const path = join(folder, `login-${Date.now()}-${process.pid}.png`);
  try {
    await page.screenshot({ path, fullPage: true, timeout: 5_000 });
    return path;
  } catch (error) {
    return `none (${firstLine(error)})`;
  }
}

// A page that is being replaced can't be asked; the next round asks its successor.
function ignoreNavigation(error) {
  if (/context was destroyed|navigat|detached/i.test(error.message)) return 'wait';
  throw error;
}

// Addresses without their query: a SAMLRequest or a code is of no use in a test's log.
function withoutQuery(url) {
  return url.split(/[?#]/)[0];
}

function originOf(page) {
  return new URL(page.url()).origin;
}

function left() {
  return Math.max(1, deadline - Date.now());
}

function firstLine(error) {
  return String(error.message).split('\n')[0];
}

// Looks at pages as people with less sight, a keyboard or a phone meet them: axe.mjs URL...
// Prints one line of JSON with every fault that was found; an empty list is what one hopes for.
import { createRequire } from 'node:module';
import { withBrowser } from './browser.mjs';

// What a person can operate.
const OPERABLE = 'a[href], button, summary, input:not([type=hidden]), select, textarea';

const urls = process.argv.slice(2);
if (urls.length === 0) {
  console.error('usage: axe.mjs URL...');
  process.exit(2);
}

// Whatever hangs, the test goes on.
setTimeout(() => process.exit(4), 240_000).unref();

const axe = createRequire(import.meta.url)('axe-core').source;
const faults = [];
let looked = 0;

await Promise.all(['light', 'dark'].map((colorScheme) =>
  withBrowser({ viewport: { width: 320, height: 640 }, colorScheme, locale: 'en-US', reducedMotion: 'reduce' }, async (context) => {
    const page = await context.newPage();
    let url;
    const fault = (what) => faults.push({ url, colorScheme, what });
    // A style, script or picture that the page's policy does not let in is told on the console.
    page.on('console', (message) => {
      if (message.type() !== 'error') return;
      const ownStatus = message.text().startsWith('Failed to load resource') && message.location().url === url;
      if (!ownStatus) fault(`console: ${message.text()}`);
    });
    page.on('pageerror', (error) => fault(`script: ${error.message}`));
    for (url of urls) {
      await page.goto(url, { waitUntil: 'load', timeout: 30_000 });
      for (const what of await page.evaluate(rules, axe)) fault(what);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
      if (wide > 0) fault(`the page is ${wide} px wider than a phone`);
      for (const what of await byKeyboard(page)) fault(what);
      looked += 1;
    }
  })));
console.log(JSON.stringify({ looked, faults }));

// Runs in the page.
async function rules(source) {
  if (!window.axe) (0, eval)(source);
  const runOnly = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
  const { violations } = await window.axe.run(document, { runOnly, resultTypes: ['violations'] });
  return violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html}: ${node.failureSummary}`));
}

// Every link, button and field is reached by the tab key, in the order of the page, and is seen to be.
async function byKeyboard(page) {
  const found = [];
  const reached = [];
  const expected = await page.evaluate((operable) => {
    // From the beginning, also where a field has the focus already.
    document.body.tabIndex = -1;
    document.body.focus();
    return [...document.querySelectorAll(operable)].filter((one) => one.checkVisibility()).length;
  }, OPERABLE);
  for (let at = 0; at < expected; at += 1) {
    await page.keyboard.press('Tab');
    reached.push(await page.evaluate((operable) => {
      const here = document.activeElement;
      const style = getComputedStyle(here);
      const all = [...document.querySelectorAll(operable)].filter((one) => one.checkVisibility());
      return { at: all.indexOf(here), shown: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2, html: here.outerHTML };
    }, OPERABLE));
  }
  reached.forEach(({ at, shown, html }, place) => {
    if (at !== place) found.push(`tab ${place + 1} leads to ${html}`);
    if (!shown) found.push(`nobody sees that the focus is on ${html}`);
  });
  return found;
}

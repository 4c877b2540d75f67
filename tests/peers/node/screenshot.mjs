// Takes a picture of a page: screenshot.mjs URL OUT.png [WIDTH HEIGHT] [dark|light]
import { withBrowser } from './browser.mjs';

const words = process.argv.slice(2);
const scheme = ['dark', 'light'].includes(words.at(-1)) ? words.pop() : 'light';
const [url, out, width = '1280', height = '800'] = words;
if (!url || !out || !(Number(width) > 0) || !(Number(height) > 0)) {
  console.error('usage: screenshot.mjs URL OUT.png [WIDTH HEIGHT] [dark|light]');
  process.exit(2);
}

const viewport = { width: Number(width), height: Number(height) };
await withBrowser({ viewport, colorScheme: scheme, locale: 'en-US' }, async (context) => {
  const page = context.pages()[0] ?? (await context.newPage());
  const response = await page.goto(url, { waitUntil: 'load', timeout: 30_000 });
  await page.screenshot({ path: out, fullPage: true });
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth);
  console.log(JSON.stringify({ url: page.url(), status: response?.status() ?? null, title: await page.title(), out, overflow }));
});

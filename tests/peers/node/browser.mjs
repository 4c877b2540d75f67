// Chromium for the scripts of this folder: Debian's own, headless, with a profile made for one run.
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const executablePath = process.env.CHROMIUM || '/usr/bin/chromium';
const args = [
  '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync',
];

// Runs work(context) in a fresh browser and takes the browser and its profile away afterwards.
export async function withBrowser(contextOptions, work) {
  const { chromium } = await playwright();
  const profile = await mkdtemp(join(tmpdir(), 'fedbridge-chromium-'));
  let context;
  try {
    context = await chromium.launchPersistentContext(profile, { executablePath, args, ...contextOptions });
    return await work(context);
  } finally {
    await context?.close();
    await rm(profile, { recursive: true, force: true, maxRetries: 5 });
  }
}

async function playwright() {
  if (!existsSync(executablePath)) missing(executablePath);
  try {
    return await import('playwright-core');
  } catch (error) {
    if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error;
    return missing('npm package playwright-core');
  }
}

function missing(what) {
  console.error(`${what} is missing: run scripts/install-deps.sh test`);
  process.exit(3);
}

import { existsSync } from 'node:fs';
import { type Browser, chromium } from 'playwright-core';

const usual = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/snap/bin/chromium',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
];

const path = process.env.CHROMIUM_PATH ?? usual.find(existsSync) ?? '/usr/bin/chromium';

/** Why tests in a browser cannot run here; undefined where they can. */
export const noChromium = existsSync(path)
  ? undefined
  : `there is no Chromium at ${path}: install it, or set CHROMIUM_PATH`;

/** WebGPU on SwiftShader, where there is no GPU; and nothing that wants the network. */
const flags = [
  '--headless=new',
  '--no-sandbox',
  '--disable-gpu-sandbox',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

export function launch({ webgpu = false } = {}): Promise<Browser> {
  const args = webgpu ? [...flags, '--enable-unsafe-webgpu'] : flags;
  return chromium.launch({ executablePath: path, headless: false, args });
}

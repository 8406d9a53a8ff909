import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';

/** A page after its scripts have run, and what it said on the console. */
export interface Opened {
  readonly dom: string;
  readonly console: readonly string[];
}

/** Opens a file in headless Chromium, without a network. */
export async function openPage(path: string, width = 1280): Promise<Opened> {
  const profile = await mkdtemp(join(tmpdir(), 'polydomain-chromium-'));
  try {
    const { stdout, stderr } = await promisify(execFile)(
      'chromium',
      [
        '--headless',
        '--no-sandbox',
        '--disable-gpu',
        '--enable-logging=stderr',
        `--window-size=${width},1000`,
        '--host-resolver-rules=MAP * ~NOTFOUND',
        `--user-data-dir=${profile}`,
        '--virtual-time-budget=5000',
        '--dump-dom',
        pathToFileURL(path).href,
      ],
      { maxBuffer: 2 ** 28 },
    ).catch((cause: Error) => {
      throw new Error(`chromium: ${cause.message}; npm run set-up installs it`);
    });
    const said = stderr.split('\n').filter((line) => /CONSOLE/.test(line));
    return { dom: stdout, console: said };
  } finally {
    await rm(profile, { recursive: true, force: true });
  }
}

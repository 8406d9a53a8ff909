import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { CompareFolder } from '../compare/folder.js';
import { ConfigError } from '../errors.js';
import { requirePlace, writeFileAtomic } from '../io/atomic.js';
import { libraryVersion } from '../native/load.js';
import { page } from '../report/page.js';
import { readRun, runsReport } from '../report/runs.js';

/** The document of `report --json`. */
export interface ReportReport {
  readonly output: string;
  readonly entries: readonly string[];
}

/** Writes one page about run folders, or about the folder of a comparison. */
export async function report(
  folders: readonly string[],
  { output }: { readonly output: string },
): Promise<ReportReport> {
  await requirePlace(output);
  const compared = folders.find((folder) => existsSync(join(folder, 'compare.json')));
  if (compared !== undefined && folders.length > 1) {
    throw new ConfigError(`'${compared}' is a comparison; expected it alone, or folders of runs`);
  }
  const folder = new CompareFolder(compared ?? '');
  const comparison = compared === undefined ? undefined : await folder.readComparison();
  const data = comparison
    ? await folder.report(comparison)
    : runsReport(await Promise.all(folders.map(readRun)), libraryVersion());
  await writeFileAtomic(output, await page(data));
  return { output, entries: data.entries.map(({ label }) => label) };
}

/** Writes report.html into a run folder. */
export async function reportRun(folder: string): Promise<void> {
  await report([folder], { output: join(folder, 'report.html') });
}

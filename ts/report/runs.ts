import { readFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { z } from 'zod';
import { CheckpointError } from '../errors.js';
import { meanRanks, spreadOf, weightedMean } from '../metrics/ranks.js';
import { parse } from '../options.js';
import type { Curve, CurvePoint, ReportData, ReportEntry } from './data.js';
import { flatten } from './data.js';

const byDomain = z.record(z.string(), z.number().nullable());
const scores = z.object({
  auc: z.object({ mean: z.number().nullable(), byDomain }),
  rows: z.record(z.string(), z.int()),
});
const storedMetrics = z.object({ train: scores, validation: scores, test: scores });
const storedEvent = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('epoch'),
    stage: z.string(),
    epoch: z.int(),
    loss: z.number(),
    validation: z.object({ auc: z.object({ mean: z.number().nullable() }) }),
    best: z.boolean(),
  }),
  z.object({ kind: z.literal('end'), seconds: z.number() }),
]);

/** What a run folder tells. */
export interface RunReport {
  readonly folder: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly metrics: z.output<typeof storedMetrics>;
  readonly curve: Curve;
  readonly seconds: number | null;
}

/** The events of these kinds, and nothing of the others. */
function eventsOf(text: string): z.output<typeof storedEvent>[] {
  const lines = text.split('\n').filter((line) => line !== '');
  return lines.flatMap((line) => {
    const event = JSON.parse(line) as { kind?: string };
    return event.kind === 'epoch' || event.kind === 'end' ? [parse(storedEvent, event, '')] : [];
  });
}

/** The epochs, one after another; one that was done again after an interruption counts once. */
function curveOf(seed: number, events: readonly z.output<typeof storedEvent>[]): Curve {
  const points: CurvePoint[] = [];
  let best: number | null = null;
  for (const event of events) {
    if (event.kind !== 'epoch') continue;
    const { stage, epoch, loss, validation } = event;
    const again = points.findIndex((point) => point.stage === stage && point.epoch === epoch);
    if (again >= 0) points.splice(again);
    points.push({ stage, epoch, loss, auc: validation.auc.mean });
    if (event.best && stage === points[0]?.stage) best = points.length - 1;
  }
  return { seed, points, best };
}

/**
 * Reads what a report needs of a run folder: metrics.json, events.jsonl, and config.json where there
 * is one. Throws CheckpointError.
 */
export async function readRun(folder: string): Promise<RunReport> {
  const read = (name: string): Promise<string> => readFile(join(folder, name), 'utf8');
  try {
    const metrics = parse(storedMetrics, JSON.parse(await read('metrics.json')), 'metrics.json');
    const events = eventsOf(await read('events.jsonl'));
    const config = JSON.parse(await read('config.json').catch(() => '{}')) as RunReport['config'];
    const ends = events.flatMap((event) => (event.kind === 'end' ? [event.seconds] : []));
    const { seed } = config;
    return {
      folder,
      config,
      metrics,
      curve: curveOf(typeof seed === 'number' ? seed : 0, events),
      seconds: ends.at(-1) ?? null,
    };
  } catch (cause) {
    throw new CheckpointError(
      `'${folder}' cannot be read (${(cause as Error).message}); expected the folder of a finished run`,
      { cause },
    );
  }
}

/** Runs as a page shows them, the first one as the baseline. Throws CheckpointError when their domains differ. */
export function runsReport(runs: readonly RunReport[], library: string): ReportData {
  const [first] = runs as readonly [RunReport, ...RunReport[]];
  const names = runs.map(({ folder }) => basename(resolve(folder)));
  const labels = new Set(names).size === names.length ? names : runs.map(({ folder }) => folder);
  const domains = Object.keys(first.metrics.test.rows);
  for (const { folder, metrics } of runs) {
    const own = Object.keys(metrics.test.rows);
    if (own.length === domains.length && domains.every((domain, d) => domain === own[d])) continue;
    throw new CheckpointError(
      `'${folder}' has ${own.length} domains; expected the ${domains.length} of '${first.folder}', with the same names`,
    );
  }
  const aucs = runs.map(({ metrics }) =>
    domains.map((domain) => metrics.test.auc.byDomain[domain] ?? null),
  );
  const ranks = meanRanks(aucs);
  const { train, validation, test } = first.metrics;
  const rows = domains.map((domain) => ({
    train: train.rows[domain] ?? 0,
    validation: validation.rows[domain] ?? 0,
    test: test.rows[domain] ?? 0,
  }));
  const samples = rows.map((own) => own.train + own.validation + own.test);
  return {
    title: runs.length === 1 ? `Run ${labels[0]}` : 'Runs',
    subtitle: `${runs.length} ${runs.length === 1 ? 'run' : 'runs'}, ${domains.length} domains`,
    library,
    domains: domains.map((name, d) => ({ name, rows: rows[d] as (typeof rows)[0] })),
    baseline: 0,
    entries: runs.map(({ metrics, config, curve, seconds }, r): ReportEntry => {
      const { data: _, $schema: __, ...settings } = config;
      return {
        label: labels[r] as string,
        auc: {
          mean: spreadOf([metrics.test.auc.mean]),
          samples: spreadOf([weightedMean(aucs[r] ?? [], samples)]),
          byDomain: (aucs[r] ?? []).map((auc) => spreadOf([auc])),
        },
        rank: runs.length > 1 ? (ranks[r] ?? null) : null,
        significance: null,
        seconds: spreadOf([seconds]),
        peakBytes: null,
        failures: [],
        settings: flatten(settings),
        tuning: null,
        curves: [curve],
        conflicts: null,
      };
    }),
    notes: [],
  };
}

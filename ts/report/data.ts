import type { SplitName } from '../data/types.js';
import type { Significance } from '../metrics/bootstrap.js';
import type { Spread } from '../metrics/ranks.js';

/** One epoch on a training curve. */
export interface CurvePoint {
  readonly stage: string;
  /** 0-based within its stage. */
  readonly epoch: number;
  readonly loss: number;
  readonly auc: number | null;
}

/** The training of one seed. */
export interface Curve {
  readonly seed: number;
  /** Over all stages, one after another. */
  readonly points: readonly CurvePoint[];
  /** Index of the point whose state the first stage kept. */
  readonly best: number | null;
}

export interface ReportConflicts {
  readonly domains: readonly string[];
  /** Training rows that each gradient comes from, where the run tells. */
  readonly rows?: readonly number[];
  readonly cosines: readonly (readonly (number | null)[])[];
}

export interface ReportTuning {
  readonly grid: Readonly<Record<string, readonly unknown[]>>;
  readonly tried: readonly {
    readonly values: Readonly<Record<string, unknown>>;
    readonly validationAuc: number | null;
    readonly error: string | null;
  }[];
  readonly chosen: Readonly<Record<string, unknown>> | null;
}

/** An entry of a comparison, or one run. */
export interface ReportEntry {
  readonly label: string;
  readonly auc: {
    readonly mean: Spread | null;
    readonly samples: Spread | null;
    /** In the order of the domains. */
    readonly byDomain: readonly (Spread | null)[];
  };
  readonly rank: number | null;
  readonly significance: Significance | null;
  readonly seconds: Spread | null;
  readonly peakBytes: number | null;
  readonly failures: readonly string[];
  /** By dotted key. */
  readonly settings: Readonly<Record<string, string>>;
  readonly tuning: ReportTuning | null;
  readonly curves: readonly Curve[];
  readonly conflicts: ReportConflicts | null;
}

/** Everything that a page shows. */
export interface ReportData {
  readonly title: string;
  readonly subtitle: string;
  readonly library: string;
  readonly domains: readonly {
    readonly name: string;
    readonly rows: Readonly<Record<SplitName, number>>;
  }[];
  /** Index of the entry that gains are taken over. */
  readonly baseline: number;
  readonly entries: readonly ReportEntry[];
  readonly notes: readonly string[];
}

/** Nested settings as text by dotted key; what is not set is left out. */
export function flatten(settings: unknown, path = ''): Record<string, string> {
  if (settings === undefined || settings === null) return {};
  if (typeof settings !== 'object' || Array.isArray(settings)) {
    return { [path]: typeof settings === 'string' ? settings : JSON.stringify(settings) };
  }
  return Object.fromEntries(
    Object.entries(settings).flatMap(([key, value]) =>
      Object.entries(flatten(value, path === '' ? key : `${path}.${key}`)),
    ),
  );
}

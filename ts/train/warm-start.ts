import { hasIds, inputName, ofKind, tableOf } from '../data/features.js';
import type { IdFeature, Schema } from '../data/types.js';
import type { Vocabulary } from '../data/vocabulary.js';
import { ConfigError, DataError } from '../errors.js';
import { readRun, readSpecific } from '../io/run-folder.js';
import type { NativeGraph, OverlayEntries } from '../native/addon.js';
import type { Model } from '../nn/model.js';
import { shown } from '../options.js';
import { Predictor } from '../serve/predictor.js';
import type { OverlayRule } from '../strategies/types.js';
import { elementCount } from '../tensor/shape.js';
import type { Turns } from '../turns.js';

/** What a trained model hands on. */
export interface Trained {
  readonly vocabulary: Vocabulary;
  readonly parameters: ReadonlyMap<string, Float32Array>;
  /** Those of them that became banks (see Model.splitHeads). */
  readonly split: readonly string[];
  readonly overlays: OverlayRule | undefined;
  /** A parameter's own values, by domain. */
  readonly own: ReadonlyMap<string, readonly OverlayEntries[]>;
}

/** Reads a run folder, or a model in memory. Throws CheckpointError and BusyError. */
export async function trainedOf(from: string | Predictor): Promise<Trained> {
  if (from instanceof Predictor) return inMemory(from);
  if (typeof from !== 'string') {
    throw new ConfigError(
      `fit.from: ${shown(from)}; expected a run folder, or what fit or load gave`,
    );
  }
  const { stored, vocabulary, tensors } = await readRun(from);
  const parameters = new Map(
    [...tensors].flatMap(([name, data]) =>
      data instanceof Float32Array ? [[name, data] as const] : [],
    ),
  );
  const own = new Map<string, OverlayEntries[]>();
  if (stored.overlays) {
    for (const name of parameters.keys()) {
      const entries: OverlayEntries[] = [];
      for await (const [domain, values] of readSpecific(from, name, stored.schema.domains.length)) {
        entries[domain] = values;
      }
      own.set(name, entries);
    }
  }
  const { split, overlays } = stored;
  return { vocabulary, parameters, split, overlays: overlays ?? undefined, own };
}

function inMemory({ model, vocabulary }: Predictor): Trained {
  const { space } = model.compile();
  const views = [...model.readParameters()];
  const domains = vocabulary.schema.domains.map((_, domain) => domain);
  return {
    vocabulary,
    parameters: new Map(views.map(([name, { data }]) => [name, data.slice()])),
    split: model.split,
    overlays: model.overlays,
    own: new Map(
      model.overlays &&
        views.map(([name]) => [name, domains.map((domain) => space.overlay(domain, name))]),
    ),
  };
}

/** Which input, such as `feature:0`, the rows of each table are looked up by: whatever an op reads by ids. */
export function keysOf(graph: NativeGraph): Map<string, string> {
  const keys = new Map<string, string>();
  const inputOf = (value: number): string | undefined => {
    const { kind, name, inputs } = graph.node(value);
    return kind === 'input' ? name : inputs.map(inputOf).find((found) => found !== undefined);
  };
  for (let value = 0; value < graph.size; value++) {
    const inputs = graph.node(value).inputs.map((input) => ({ input, ...graph.node(input) }));
    const ids = inputs.find(({ dtype }) => dtype === 'int32');
    const key = ids && inputOf(ids.input);
    if (key === undefined) continue;
    for (const { kind, name } of inputs) if (kind === 'parameter') keys.set(name, key);
  }
  return keys;
}

/** For each domain its index before; -1: it is new. */
function domainsBefore(before: Vocabulary, now: Vocabulary): number[] {
  return now.schema.domains.map((name) => (before.hasDomain(name) ? before.domain(name) : -1));
}

/** Values that are looked up before other work has its turn. */
const valuesAtOnce = 2 ** 14;

/** For each row of a table the row that stood for the same before; -1: there was none. */
export function* rowsBefore(
  key: string,
  rows: number,
  before: Vocabulary,
  now: Vocabulary,
): Turns<Int32Array> {
  const feature = now.schema.features.findIndex(
    (one) => inputName(now.schema.features, one) === key,
  );
  if (feature < 0) {
    const { domains } = before.schema;
    const known = domainsBefore(before, now);
    // Behind the domains may come a row for unknown ones.
    return Int32Array.from(
      { length: rows },
      (_, row) => known[row] ?? domains.length + row - known.length,
    );
  }
  const own = now.schema.features[feature] as IdFeature;
  const { name } = own;
  const { features } = before.schema;
  const same = features.findIndex((one) => one.name === name);
  // A feature that is new may share a table that is not.
  const sharing = features.findIndex((one) => hasIds(one) && tableOf(one) === tableOf(own));
  const other = same >= 0 ? same : sharing;
  const previous = features[other];
  const values = now.valuesOf(feature);
  const old = before.valuesOf(other);
  const alike = previous && hasIds(previous) && previous.size === own.size;
  if (alike && previous.hashed === own.hashed && values.length === 0 && old.length === 0) {
    return Int32Array.from({ length: rows }, (_, row) => row);
  }
  if (own.hashed || (previous && hasIds(previous) && previous.hashed)) {
    throw new DataError(
      `fit.from: feature '${name}' has hashed ids; expected as many buckets on both sides`,
    );
  }
  if (values.length === 0 || old.length === 0) {
    throw new DataError(
      `fit.from: feature '${name}' has ids without raw values; expected vocabularies on both sides`,
    );
  }
  yield* before.index();
  const found = new Int32Array(1 + values.length);
  for (const [i, value] of values.entries()) {
    found[i + 1] = before.encode(other, value) || -1;
    if ((i + 1) % valuesAtOnce === 0) yield;
  }
  return found;
}

/**
 * Takes over a trained model's values by parameter name: rows of tables by raw value, or by the name of the
 * domain; rows that it did not have keep their start. The domains' own values come along when the
 * model combines them by the same rule; returns warnings. Throws ConfigError naming the
 * first parameter that does not fit.
 */
export function* warmStart(model: Model, now: Vocabulary, trained: Trained): Turns<string[]> {
  const { vocabulary: before, parameters, own } = trained;
  const { graph, space } = model.compile();
  const keys = keysOf(graph);
  const mine = model.specs();
  for (const name of parameters.keys()) {
    if (mine.has(name) || name === 'uncertainty') continue;
    throw new ConfigError(
      `fit.from: parameter '${name}' is none of the model's; expected ${listed(mine)}`,
    );
  }
  const takesOwn = JSON.stringify(trained.overlays) === JSON.stringify(model.overlays);
  const domains = domainsBefore(before, now);
  // All is checked before anything is written, and nothing else has its turn from then on.
  const plans = [];
  for (const [name, { shape }] of mine) {
    const from = parameters.get(name);
    if (!from && name === 'uncertainty') continue;
    const key = keys.get(name);
    const size = elementCount(shape);
    const width = key === undefined ? size : (shape[1] as number);
    const rows = size / width;
    // One value for all before what is split now: every slot starts from it.
    const whole = key === undefined || (key === 'slot' && from?.length === width);
    const map = whole
      ? new Int32Array(key === undefined ? 1 : rows)
      : yield* rowsBefore(key, rows, before, now);
    const needed = (1 + map.reduce((most, row) => Math.max(most, row), -1)) * width;
    const fits =
      from !== undefined &&
      (key === undefined ? from.length === size : from.length % width === 0) &&
      from.length >= needed;
    if (!fits) {
      throw new ConfigError(
        `fit.from: parameter '${name}' has ${from?.length ?? 'no'} values; expected ${key === undefined ? `shape [${shape}]` : `rows of ${width}`}`,
      );
    }
    plans.push({ name, from, width, map, isTable: key !== undefined });
  }
  for (const { name, from, width, map, isTable } of plans) {
    space.write(name, (values) => {
      map.forEach((other, row) => {
        if (other >= 0) values.set(from.subarray(other * width, (other + 1) * width), row * width);
      });
    });
    if (!takesOwn) continue;
    const rowNow = new Int32Array(from.length / width).fill(-1);
    map.forEach((other, row) => {
      if (other >= 0) rowNow[other] = row;
    });
    domains.forEach((other, domain) => {
      const entries = own.get(name)?.[other];
      if (!entries || entries.units.length === 0) return;
      space.setOverlay(domain, name, isTable ? moved(entries, rowNow) : entries);
    });
  }
  const warnings = rescaled(before.schema, now.schema);
  if (takesOwn || !trained.overlays) return warnings;
  return [
    ...warnings,
    "fit.from: the domains' own values were left behind; the strategy has none by the same rule",
  ];
}

/** Warnings of numbers that are standardised otherwise than before. */
export function rescaled(before: Schema, now: Schema): string[] {
  const known = new Map(ofKind(before.features, 'numeric').map((own) => [own.name, own]));
  return ofKind(now.features, 'numeric').flatMap(({ name, mean, deviation }) => {
    const other = known.get(name);
    if (!other || (other.mean === mean && other.deviation === deviation)) return [];
    return [
      `fit.from: '${name}' has another mean or deviation than before; what the model learned of it is about other numbers`,
    ];
  });
}

/** Own rows of a table where they are now; rows that are no more are left out. */
function moved({ units, values }: OverlayEntries, rowNow: Int32Array): OverlayEntries {
  const width = values.length / units.length;
  const isKept = (i: number): boolean => (rowNow[units[i] as number] as number) >= 0;
  const kept = [...units.keys()].filter(isKept);
  const found = new Float32Array(kept.length * width);
  kept.forEach((i, at) => {
    found.set(values.subarray(i * width, (i + 1) * width), at * width);
  });
  return {
    units: Uint32Array.from(kept, (i) => rowNow[units[i] as number] as number),
    values: found,
  };
}

function listed(parameters: ReadonlyMap<string, unknown>): string {
  return [...parameters.keys()].map((name) => `'${name}'`).join(', ');
}

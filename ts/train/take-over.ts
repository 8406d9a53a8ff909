import { isDeepStrictEqual } from 'node:util';
import type { Vocabulary } from '../data/vocabulary.js';
import { ConfigError } from '../errors.js';
import type { NativeOptimizer, NativeParameterSpec } from '../native/addon.js';
import type { Model } from '../nn/model.js';
import type { Predictor } from '../serve/predictor.js';
import { inTurns } from '../turns.js';
import { keysOf, rescaled, rowsBefore } from './warm-start.js';

/**
 * A model takes over the memory of a trained one, which is disposed: rows of tables stay or move to where the
 * data at hand has their raw values, new ones get their fresh start, and the state of `optimizers`
 * follows. Returns warnings. Throws ConfigError where the models differ in more than that, before anything
 * has changed, and BusyError while the other one is trained.
 */
export async function takeOver(
  model: Model,
  now: Vocabulary,
  { model: other, vocabulary: before }: Predictor,
  optimizers: readonly NativeOptimizer[],
): Promise<string[]> {
  const refuse = (what: string): never => {
    throw new ConfigError(`fit.inPlace: ${what}`);
  };
  if (model === other) refuse('the model is that of fit.from; expected one of the new data');
  if (model.seed !== other.seed) {
    refuse(`the model's seed is ${model.seed}; expected ${other.seed}, that of fit.from`);
  }
  const known = before.schema.domains;
  if (!isDeepStrictEqual(now.schema.domains.slice(0, known.length), known)) {
    refuse('the domains are others; expected data.continuing(vocabulary) of the run in fit.from');
  }
  const filled = [...model.collect()].find(([, { options }]) => options.fill);
  if (filled) refuse(`'${filled[0]}' starts from a file; expected a fit without inPlace`);
  const keys = keysOf(other.compile().graph);
  const [mine, theirs] = [model.specs(), other.specs()];
  const rows = new Map<string, Int32Array>();
  for (const name of new Set([...mine.keys(), ...theirs.keys()])) {
    const [own, its] = [mine.get(name), theirs.get(name)];
    const key = keys.get(name);
    if (!own || !its) {
      return refuse(`one of the models alone has '${name}'; expected the same parameters`);
    }
    if (!isDeepStrictEqual(rowless(own, key), rowless(its, key))) {
      return refuse(
        `'${name}' is ${described(own)}; expected ${described(its)} as in fit.from, whatever its rows of ids or domains`,
      );
    }
    if (key === undefined) continue;
    const from = await inTurns(rowsBefore(key, own.shape[0] as number, before, now));
    const stay = from.length === its.shape[0] && from.every((source, row) => source === row);
    if (!stay) rows.set(name, from);
  }
  await model.takeOver(other, rows, optimizers);
  return rescaled(before.schema, now.schema);
}

/** What has to be the same: of a table that is looked up by ids all but their number. */
function rowless(spec: NativeParameterSpec, key: string | undefined): unknown {
  return key === undefined ? spec : { ...spec, shape: spec.shape.slice(1) };
}

function described({ kind, shape, l2, trainable, initializer }: NativeParameterSpec): string {
  return `${trainable ? 'a' : 'a fixed'} ${kind} [${shape}] that starts ${initializer.kind}, l2 ${l2}`;
}

import { ConfigError } from '../errors.js';
import { selects } from '../glob.js';
import type { NativeGraph } from '../native/addon.js';
import { suggest } from '../nearest.js';
import type { Parameter } from './module.js';
import type { Traced } from './traced.js';

type Parameters = ReadonlyMap<string, Parameter>;

/**
 * Names of the parameters that are a domain's head: those that glob patterns name, or else the towers of a model that has
 * banks (all banks, where none is called so), and of others the last linear layer. Throws ConfigError where there are none, and for
 * one that is no bank and can not become one.
 */
export function headsOf(
  parameters: Parameters,
  { graph, output }: Traced,
  patterns: readonly string[] | undefined,
): readonly string[] {
  let heads = patterns ? namedBy(patterns, [...parameters.keys()]) : headsAmong(parameters);
  if (heads.length === 0) heads = [...new Set(lastLinear(graph, output))];
  if (heads.length === 0) {
    throw new ConfigError(
      'the model has neither banks nor a linear layer; expected the names of its heads',
    );
  }
  for (const name of heads) {
    const parameter = parameters.get(name) as Parameter;
    const { kind, trainable } = parameter.spec();
    if (parameter.isBank || (kind === 'dense' && trainable)) continue;
    throw new ConfigError(`heads: '${name}' is no trained dense parameter and cannot be split`);
  }
  return heads;
}

function namedBy(patterns: readonly string[], names: readonly string[]): string[] {
  for (const pattern of patterns) {
    const own = pattern.replace(/^!/, '');
    if (names.some((name) => selects([own], name))) continue;
    throw new ConfigError(`heads: '${pattern}' names no parameter${suggest(own, names)}`);
  }
  const named = names.filter((name) => selects(patterns, name));
  if (named.length > 0) return named;
  throw new ConfigError(`heads: '${patterns.join("', '")}' leave no parameter`);
}

/** Parameters of the last linear layer that a value depends on; none where there is no such layer. */
function lastLinear(graph: NativeGraph, output: number): string[] {
  const reached = new Set([output]);
  for (let value = output; value >= 0; value--) {
    if (!reached.has(value)) continue;
    const { op, inputs } = graph.node(value);
    const weights = inputs.slice(1).map((input) => graph.node(input));
    if (op === 'linear' && weights.every(({ kind }) => kind === 'parameter')) {
      return weights.map(({ name }) => name);
    }
    for (const input of inputs) reached.add(input);
  }
  return [];
}

/** The banks that are a domain's head: those of a property `towers`, else all. */
function headsAmong(parameters: Parameters): string[] {
  const banks = [...parameters].filter(([, { isBank }]) => isBank).map(([name]) => name);
  const towers = banks.filter((name) => /(^|\.)towers\./.test(name));
  return towers.length > 0 ? towers : banks;
}

import type { NativeGraph } from '../native/addon.js';
import type { Parameter } from './module.js';

/** Parameters of the last linear layer that a value depends on; none where there is no such layer. */
export function lastLinear(graph: NativeGraph, output: number): string[] {
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
export function headsAmong(parameters: ReadonlyMap<string, Parameter>): string[] {
  const banks = [...parameters].filter(([, { isBank }]) => isBank).map(([name]) => name);
  const towers = banks.filter((name) => /(^|\.)towers\./.test(name));
  return towers.length > 0 ? towers : banks;
}

// The rates that floors follow from, measured beside what they are floors of.
import { tmpdir } from 'node:os';
import { measureRates } from '../dist/esm/benchmark/floor.js';
import { start } from '../dist/esm/benchmark/peers.js';

/** Of random rows of a table with `tableRows` rows of `dim` floats. */
export async function ratesOf(table, threads, undisturbed) {
  const ours = start('polydomain', threads, tmpdir());
  const pytorch = start('pytorch', threads, tmpdir());
  try {
    return await measureRates(table, ours, pytorch, undisturbed);
  } finally {
    await ours.end();
    await pytorch.end();
  }
}

// How late timers fire while fit trains: the delay that a service's requests would see.
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { fit, models, onlineRetail, optim, strategies } from '../dist/esm/index.js';
import { circumstances } from './circumstances.mjs';
import { writeResult } from './machine.mjs';

const data = await onlineRetail();
const model = models.mlp({ schema: data.schema, embeddingDim: 16, hidden: [64, 32], seed: 1 });
const delays = monitorEventLoopDelay({ resolution: 1 });
let crossings = 0;
let begun = 0;
let seconds = 0;
await fit(model, data, {
  strategy: strategies.mamdr(),
  optimizer: optim.adam(),
  epochs: 2,
  onEvent(event) {
    if (event.kind === 'phase') {
      delays.enable();
      begun = performance.now();
    }
    if (event.kind === 'progress') crossings++;
    if (event.kind === 'epoch') seconds = (performance.now() - begun) / 1000;
  },
});
delays.disable();
// The histogram counts from the resolution of 1 ms.
const milliseconds = (nanoseconds) => Math.max(0, nanoseconds / 1e6 - 1);
const result = {
  ...circumstances(),
  seconds,
  crossings,
  delayMilliseconds: {
    median: milliseconds(delays.percentile(50)),
    p99: milliseconds(delays.percentile(99)),
    max: milliseconds(delays.max),
  },
};
console.log(result);
writeResult('event-loop', result.machine.simdLevel, result);

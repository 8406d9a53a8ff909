// One point of scale.mjs in a process of its own: trains as the JSON argument says, prints time and memory.
import { fit, models, optim, strategies } from '../dist/esm/index.js';
import { generated } from './generated.mjs';
import { peakBytes, residentBytes } from './peers/memory.mjs';

const point = JSON.parse(process.argv[2]);
const { strategy, embeddingDim, hidden, epochs, specific, overlayBudget } = point;

const data = generated(point);
const model = models.mlp({ schema: data.schema, embeddingDim, hidden, seed: 1 });
const dataBytes = residentBytes();
const own = specific ? { specific } : {};
const [made, optimizer] =
  strategy === 'mamdr'
    ? // SGD within a domain, Adagrad outside, as the MAMDR paper trains on Taobao-online.
      [
        strategies.mamdr({
          helpers: 5,
          outerOptimizer: optim.adagrad({ learningRate: 0.1 }),
          ...own,
        }),
        optim.sgd({ learningRate: 0.1 }),
      ]
    : [strategies.alternate(), optim.adam()];
const epochSeconds = [];
const epochCpuSeconds = [];
const cpuSeconds = () => {
  const { userCPUTime, systemCPUTime } = process.resourceUsage();
  return (userCPUTime + systemCPUTime) / 1e6;
};
let cpuBefore = 0;
let expected;
const { seconds } = await fit(model, data, {
  strategy: made,
  optimizer,
  epochs,
  seed: 1,
  ...(overlayBudget !== undefined && { overlayBudget }),
  onEvent(event) {
    if (event.kind === 'start') {
      expected = event;
      cpuBefore = cpuSeconds();
    }
    if (event.kind === 'epoch') {
      epochSeconds.push(event.seconds);
      epochCpuSeconds.push(cpuSeconds() - cpuBefore);
      cpuBefore = cpuSeconds();
    }
  },
});
const { expectedBytes, expectedFileBytes } = expected;
console.log(
  JSON.stringify({
    trainRows: data.train.rows,
    epochSeconds,
    epochCpuSeconds,
    seconds,
    bytesFromDisk: 512 * process.resourceUsage().fsRead,
    dataBytes,
    peakBytes: peakBytes(),
    expectedBytes,
    expectedFileBytes,
  }),
);

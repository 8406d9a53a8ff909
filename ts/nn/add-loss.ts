import { ShapeError, TraceError } from '../errors.js';
import { toTensor } from '../tensor/apply.js';
import type { Tensor } from '../tensor/tensor.js';
import { currentTrace } from '../tensor/trace.js';

/**
 * Called in a module's forward: training minimises the scalar `term` of a batch, such as a regularizer, beside
 * the model's loss. Losses of evaluation are without it. Throws ShapeError for a tensor that is no scalar,
 * TraceError outside of a model's forward.
 */
export function addLoss(term: Tensor): void {
  const trace = currentTrace();
  const symbolic = toTensor(term, 'addLoss').symbolic();
  if (!trace?.penalties || symbolic?.trace !== trace) {
    throw new TraceError('addLoss: no value of the traced forward of a model; expected one');
  }
  if (term.shape.length > 0) {
    throw new ShapeError(`addLoss: shape [${term.shape}]; expected a scalar`);
  }
  trace.penalties.push(symbolic.value);
}

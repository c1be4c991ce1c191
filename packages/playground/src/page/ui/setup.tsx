import type { RunConfig } from '../../shared/protocol.js';
import { canTrain, change, config, opened, ownData, ownModel, showsRun } from '../store.js';
import { whole } from './format.js';
import { NumberField } from './number-field.js';

export function Setup() {
  const { model, data, batchSize, epochs } = config.value;
  const run = opened.value;
  const weights = run?.parameters.reduce((total, { size }) => total + size, 0);
  return (
    <section class="card" aria-labelledby="model-title">
      <h2 id="model-title">Model</h2>
      <div class="row">
        <label class="field wide">
          <span>Model</span>
          <select
            value={model}
            onChange={(event) => change({ model: event.currentTarget.value as RunConfig['model'] })}
          >
            <option value="cnn">Digits CNN</option>
            <option value="mlp">Digits MLP</option>
            {ownModel.value !== undefined && <option value="own">{ownModel.value}</option>}
          </select>
        </label>
        <label class="field wide">
          <span>Data</span>
          <select
            value={data}
            onChange={(event) => change({ data: event.currentTarget.value as RunConfig['data'] })}
          >
            <option value="digits">UCI digits</option>
            {ownData.value !== undefined && <option value="own">{ownData.value}</option>}
          </select>
        </label>
      </div>
      <div class="row">
        <NumberField
          label="Batch size"
          value={batchSize}
          integer
          onChange={(value) => change({ batchSize: Number(value) })}
        />
        <NumberField
          label="Epochs"
          value={epochs}
          integer
          onChange={(value) => change({ epochs: Number(value) })}
        />
      </div>
      {run !== undefined && weights !== undefined && (
        <p class="hint">
          {whole(weights)} weights, {whole(run.trainExamples)} examples to train on,{' '}
          {whole(run.testExamples)} held out.
        </p>
      )}
      {run !== undefined && !showsRun.value && canTrain.value && (
        <p class="hint warning">
          Not applied: the run is still that of {run.modelName} on {run.dataName}.
        </p>
      )}
      {run?.warnings.map((warning) => (
        <p key={warning} class="hint warning">
          {warning}
        </p>
      ))}
    </section>
  );
}

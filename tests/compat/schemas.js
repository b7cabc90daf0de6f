// JSON schemas made from the openai package's own types, as validators.

import { join } from 'node:path';

import Ajv from 'ajv';
import { createGenerator } from 'ts-json-schema-generator';

const resources = join(import.meta.dirname, 'node_modules/openai/resources');
const types = {
    ChatCompletion: 'chat/completions/completions.d.ts',
    ChatCompletionChunk: 'chat/completions/completions.d.ts',
    Model: 'models.d.ts',
    ErrorObject: 'shared.d.ts',
};
const validators = new Map();

function validator(type) {
    if (!validators.has(type)) {
        const schema = createGenerator({
            path: join(resources, types[type]),
            type,
            skipTypeCheck: true,
            additionalProperties: true,
        }).createSchema(type);
        validators.set(type, new Ajv({ strict: false, allErrors: true }).compile(schema));
    }
    return validators.get(type);
}

// Throws what ajv has to say when the value is not of the openai package's type.
export function assertValid(type, value) {
    const validate = validator(type);
    if (validate(value)) return;
    const faults = validate.errors.map((one) => `${one.instancePath} ${one.message}`);
    throw new Error(`no ${type}: ${faults.join('; ')}\n${JSON.stringify(value, null, 1)}`);
}

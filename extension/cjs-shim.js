// Gives bundled CommonJS the `import.meta.url` that ES modules in node_modules expect.
export const __importMetaUrl = require('node:url').pathToFileURL(__filename).href;

/** What may be and what must be in the package of each platform, written down apart from the code that packs. */

/** [folder below bin/napi-v6, its files] of onnxruntime-node, and [folder below dist, its files] of webgpu; the engine's Node. */
const natives = {
  'linux-x64': { node: 'node', onnxruntime: ['linux/x64', ['libonnxruntime.so.1', 'onnxruntime_binding.node']], webgpu: ['linux-x64', ['dawn.node']] },
  'linux-arm64': { node: 'node', onnxruntime: ['linux/arm64', ['libonnxruntime.so.1', 'onnxruntime_binding.node']], webgpu: ['linux-arm64', ['dawn.node']] },
  'darwin-arm64': { node: 'node', onnxruntime: ['darwin/arm64', ['libonnxruntime.1.dylib', 'onnxruntime_binding.node']], webgpu: ['darwin-universal', ['dawn.node']] },
  // onnxruntime-node ships none for Macs with an Intel processor: the package opens traces, and says in a sentence why it runs no model.
  'darwin-x64': { node: 'node', onnxruntime: undefined, webgpu: ['darwin-universal', ['dawn.node']] },
  'win32-x64': { node: 'node.exe', onnxruntime: ['win32/x64', ['DirectML.dll', 'dxcompiler.dll', 'dxil.dll', 'onnxruntime.dll', 'onnxruntime_binding.node']], webgpu: ['win32-x64', ['d3dcompiler_47.dll', 'dawn.node', 'dxcompiler.dll', 'dxcompiler-LICENSE.TXT', 'dxcompiler-ThirdPartyNotices.txt']] },
};
/** Platforms that get a package. */
export const expectedTargets = Object.keys(natives);

/** The same in every package. */
const common = [
  /^(package\.json|readme\.md|changelog\.md|LICENSE(\.txt)?)$/i,
  /^dist\/[\w.-]+\.(js|css|wasm|ttf)$/,
  /^dist\/shaders\/[\w./-]+\.wgsl$/,
  /^dist\/node\/LICENSE$/,
  /^dist\/node_modules\/webgpu\/(package\.json|index\.js|LICENSE\.md)$/,
  /^media\/[\w-]+\.(png|svg|ttf)$/,
  /^media\/walkthrough\/[\w-]+\.(md|png|svg)$/,
  /^media\/demo\/([\w-]+\.(py|md)|storyteller\/[\w.-]+)$/,
];
const onnxruntimeScripts = [/^dist\/node_modules\/onnxruntime-common\/(package\.json|dist\/cjs\/[\w-]+\.(js|json))$/, /^dist\/node_modules\/onnxruntime-node\/(package\.json|dist\/(index|binding|backend|version)\.js)$/];
const needed = ['package.json', 'dist/host.js', 'dist/runner.js', 'dist/analysis.js', 'dist/attnscope.js', 'dist/webview.js', 'dist/webview.css', 'dist/web-tree-sitter.wasm', 'dist/tree-sitter-python.wasm', 'dist/shaders/probe/double.wgsl',
  'media/icon.png', 'media/demo/model.py', 'media/demo/storyteller/model.onnx', 'media/demo/storyteller/tokenizer.json', 'dist/node_modules/webgpu/package.json'];

/** Files among `names` (below the package) that have no business in the package of `target`, and those that it lacks. */
export function judgePackage(target, names) {
  const { node, onnxruntime, webgpu } = natives[target], scripts = onnxruntime ? onnxruntimeScripts : [];
  const binaries = [`dist/node/bin/${node}`, ...paths('dist/node_modules/webgpu/dist', webgpu), ...(onnxruntime ? paths('dist/node_modules/onnxruntime-node/bin/napi-v6', onnxruntime) : [])];
  const wanted = [...needed, ...binaries, ...(onnxruntime ? ['dist/node_modules/onnxruntime-node/dist/index.js', 'dist/node_modules/onnxruntime-common/dist/cjs/index.js'] : [])];
  return {
    strange: names.filter(name => !binaries.includes(name) && ![...common, ...scripts].some(pattern => pattern.test(name))),
    missing: wanted.filter(name => !names.includes(name)),
  };
}

function paths(below, [folder, files]) { return files.map(file => `${below}/${folder}/${file}`); }

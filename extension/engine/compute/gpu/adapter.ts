/** Which adapter and features Dawn gives: asked with a small set of toggles, with the limits that the adapter has. */
import type { Limits } from './plan.ts';

/** Dawn's switches beyond its defaults. Off for users: a figure made with one of them is not what they get. */
export interface Toggles { /** Subgroup matrices, which Dawn calls unsafe because they are not yet standard. */ readonly matrices?: boolean; /** 16-bit floats on NVIDIA's Vulkan, where Dawn holds them back. */ readonly f16OnNvidia?: boolean }

export interface Opened {
  readonly device: GPUDevice;
  readonly name: string;
  /** A CPU that plays a GPU (SwiftShader, llvmpipe): good for tests, slower than the CPU path. */
  readonly software: boolean;
  readonly limits: Limits;
  readonly timestamps: boolean;
  readonly toggles: readonly string[];
}

const instances = new Set<GPU>();

/** Undefined when there is no adapter. */
export async function openAdapter(toggles: Toggles): Promise<Opened | undefined> {
  const { create } = await import('webgpu');
  const on = [...(toggles.matrices ? ['allow_unsafe_apis'] : []), ...(toggles.f16OnNvidia ? ['vulkan_enable_f16_on_nvidia'] : [])];
  const instance = create(on.length ? [`enable-dawn-features=${on.join(',')}`] : []), adapter = await instance.requestAdapter({ powerPreference: 'high-performance' });
  if (!adapter) return undefined;
  const wanted = ['subgroups', 'shader-f16', 'timestamp-query', 'chromium-experimental-subgroup-matrix'] as const;
  const features = wanted.filter(feature => adapter.features.has(feature as GPUFeatureName) && (feature !== 'chromium-experimental-subgroup-matrix' || toggles.matrices));
  const { maxBufferSize, maxStorageBufferBindingSize, maxComputeWorkgroupStorageSize, maxComputeInvocationsPerWorkgroup, maxComputeWorkgroupSizeX, maxComputeWorkgroupsPerDimension, maxStorageBuffersPerShaderStage } = adapter.limits;
  const requiredLimits = { maxBufferSize, maxStorageBufferBindingSize, maxComputeWorkgroupStorageSize, maxComputeInvocationsPerWorkgroup, maxComputeWorkgroupSizeX, maxComputeWorkgroupsPerDimension, maxStorageBuffersPerShaderStage };
  const device = await adapter.requestDevice({ requiredFeatures: features as GPUFeatureName[], requiredLimits });
  const { vendor, architecture, description, device: model } = adapter.info, info = adapter.info as GPUAdapterInfo & { subgroupMinSize?: number; subgroupMaxSize?: number; isFallbackAdapter?: boolean };
  const name = [vendor, architecture, description || model].filter(Boolean).join(' ') || 'unnamed adapter';
  const even = info.subgroupMinSize === info.subgroupMaxSize ? info.subgroupMinSize ?? 0 : 0;
  // Dawn's instance must outlive its devices, and nothing of theirs holds it: collected, it takes the process with it.
  instances.add(instance);
  return {
    device, name, toggles: on, software: info.isFallbackAdapter === true || /swiftshader|llvmpipe|basic render/i.test(name),
    timestamps: features.includes('timestamp-query'),
    limits: {
      workgroupBytes: maxComputeWorkgroupStorageSize, invocations: Math.min(maxComputeInvocationsPerWorkgroup, maxComputeWorkgroupSizeX), groupsPerDimension: maxComputeWorkgroupsPerDimension,
      bindingBytes: Math.min(maxStorageBufferBindingSize, maxBufferSize), subgroupSize: features.includes('subgroups') ? even : 0,
      matrices: features.includes('chromium-experimental-subgroup-matrix') && features.includes('shader-f16'),
    },
  };
}

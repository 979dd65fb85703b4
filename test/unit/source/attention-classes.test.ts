/** Which classes count as attention, by what evidence, and which do not although they look alike. */
import { expect, it } from 'vitest';
import { attentionClasses } from '../../../extension/source/attention-classes.ts';
import { document, fixture, fixtureText, textAt } from './support.ts';

const found = async (name: string) => Object.fromEntries(attentionClasses([await fixture(name)]).map(c => [c.ref.cls.qualifiedName, c]));

it('sees a softmax of a product, and not a router or a layer norm', async () => {
  const classes = await found('nanogpt.py');
  expect(Object.keys(classes)).toEqual(['CausalSelfAttention']);
  expect(classes.CausalSelfAttention).toMatchObject({ by: 'forward', reason: '`forward` computes a softmax of a product, times a third' });
  expect(textAt(fixtureText('nanogpt.py'), classes.CausalSelfAttention.evidence!)).toBe('att @ v');
});
it('sees matmul, fused calls, and helper functions of the file', async () => {
  const hf = await found('hf_style.py');
  expect(Object.keys(hf)).toEqual(['NovaAttention', 'NovaSdpaAttention']);
  expect(hf.NovaSdpaAttention.reason).toBe('`forward` calls `scaled_dot_product_attention`');
  const modern = await found('modern.py');
  expect(Object.keys(modern)).toEqual(['LyraAttention']);
  expect(modern.LyraAttention.reason).toBe('`forward` computes a softmax of a product, times a third (in `eager_attention_forward`)');
});
it('sees einsum with an nn.Softmax attribute, and nn.MultiheadAttention, whatever the class is called', async () => {
  const classes = await found('mixed.py');
  expect(Object.keys(classes)).toEqual(['EinsumMixer', 'TorchBlock']);
  expect(classes.EinsumMixer.by).toBe('forward');
  expect(classes.TorchBlock).toMatchObject({ by: 'library', reason: '`self.attention` is `nn.MultiheadAttention`' });
});
it('counts an inherited forward, and one that asks its base', async () => {
  const classes = await found('subclass.py');
  expect(Object.keys(classes)).toEqual(['Attention', 'CausalAttention', 'WindowAttention']);
  expect(classes.CausalAttention).toMatchObject({ by: 'forward', reason: '`forward`, inherited from `Attention`, calls `scaled_dot_product_attention`' });
  expect(classes.CausalAttention.inheritedFrom?.cls.name).toBe('Attention');
  expect(classes.WindowAttention.reason).toContain('(in `super.forward`)');
});
it('says when it has the name only; a configuration is nothing', async () => {
  const classes = await found('decoy.py');
  expect(Object.keys(classes)).toEqual(['Attention', 'TokenAttention']);
  expect(classes.TokenAttention).toMatchObject({ by: 'name', reason: 'by name only: what its `forward` does shows no attention' });
});
it.each([
  ['q.matmul(k.transpose(1, 2)).softmax(-1) @ v', true],
  ['torch.softmax(torch.einsum("bhid,bhjd->bhij", q, k), dim=-1).matmul(v)', true],
  ['torch.bmm(nn.Softmax(dim=-1)(torch.bmm(q, k)), v)', true],
  ['xformers.ops.memory_efficient_attention(q, k, v)', true],
  ['flash_attn_func(q, k, v, causal=True)', true],
  ['F.softmax(self.gate(x), dim=-1) @ v', false],
  ['F.softmax(q @ k, dim=-1)', false],
  ['F.log_softmax(q @ k, dim=-1) @ v', false],
  ['q @ k @ v', false],
])('%s: %s', async (expression, expected) => {
  const text = `class M(nn.Module):\n    def forward(self, q, k, v, x):\n        return ${expression}\n`;
  expect(attentionClasses([await document(text, 'a.py')]).length === 1).toBe(expected);
});
it('follows the scores through variables, and forgets a name that was given something else', async () => {
  const body = (lines: string[]) => `class M(nn.Module):\n    def forward(self, q, k, v, x):\n${lines.map(l => `        ${l}`).join('\n')}\n`;
  const is = async (lines: string[]) => attentionClasses([await document(body(lines), 'a.py')]).length === 1;
  expect(await is(['s = q @ k', 's += x', 's = s / 8', 'p = F.softmax(s, -1)', 'p = self.drop(p)', 'o: Tensor = torch.matmul(p, v)', 'return o'])).toBe(true);
  expect(await is(['s = q @ k', 's = x', 'p = F.softmax(s, -1)', 'return p @ v'])).toBe(false);
  expect(await is(['p = F.softmax(q @ k, -1)', 'p = x', 'return p @ v'])).toBe(false);
});

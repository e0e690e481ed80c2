/**
 * The keys of a Hugging Face config that a family does not read and need not: none of them changes what the model
 * computes on given tokens. Whatever is neither read nor listed is refused by its name, since it might.
 */

/** Whether the value of a key, in its config, says nothing but what is done anyway. */
export type Harmless = Readonly<Record<string, (value: unknown, config: Readonly<Record<string, unknown>>) => boolean>>

/** Whatever it is. */
export const any = (): boolean => true

/** The head that sums up a text, which a language model does not have. */
export const summaryHead: Harmless = {
  summary_type: any,
  summary_use_proj: any,
  summary_activation: any,
  summary_proj_to_labels: any,
  summary_first_dropout: any,
  summary_last_dropout: any,
}

/** One of these values. */
export const only =
  (...values: unknown[]) =>
  (value: unknown): boolean =>
    values.includes(value)

/** The value of another key, or its default where the config leaves that out. */
export const sameAs =
  (key: string, otherwise?: unknown) =>
  (value: unknown, config: Readonly<Record<string, unknown>>): boolean =>
    value === (config[key] ?? otherwise)

/** Nothing is set. */
const empty = (value: unknown): boolean =>
  value === false || (typeof value === 'object' && Object.keys(value!).length === 0)

/** Whatever their value. */
export const inert: ReadonlySet<string> = new Set(
  [
    // where it comes from and how it is stored
    'model_type architectures transformers_version transformers.js_config torch_dtype dtype _name_or_path name_or_path',
    '_commit_hash unsloth_version unsloth_fixed is_llama_config initializer_range',
    // tokens and tokenizers
    'pad_token_id sep_token_id cls_token_id mask_token_id unk_token_id decoder_start_token_id tokenizer_class prefix',
    'model_max_length max_sequence_length padding_side',
    // training
    'attention_probs_dropout_prob hidden_dropout_prob',
    'attention_dropout hidden_dropout classifier_dropout resid_pdrop embd_pdrop attn_pdrop gradient_checkpointing',
    // the way of computing, not the result
    'use_cache cache_implementation use_return_dict return_dict return_dict_in_generate output_attentions',
    'output_hidden_states output_scores tie_last_hidden_states torchscript chunk_size_feed_forward attn_implementation',
    '_attn_implementation _attn_implementation_internal _attn_implementation_autoset _experts_implementation_internal',
    '_output_attentions pretraining_tp tf_legacy_loss is_decoder',
    // heads for other tasks
    'id2label label2id num_labels _num_labels problem_type finetuning_task task_specific_params predict_special_tokens',
    // generation
    'assistant_confidence_threshold assistant_lookbehind bad_words_ids begin_suppress_tokens diversity_penalty do_sample',
    'early_stopping encoder_no_repeat_ngram_size encoder_repetition_penalty epsilon_cutoff eta_cutoff',
    'exponential_decay_length_penalty forced_bos_token_id forced_eos_token_id length_penalty max_length min_length',
    'no_repeat_ngram_size num_assistant_tokens num_assistant_tokens_schedule num_beam_groups num_beams',
    'num_return_sequences remove_invalid_values repetition_penalty suppress_tokens target_lookbehind temperature top_k',
    'top_p typical_p',
  ].flatMap(line => line.split(' ')),
)

/** Whether a class has the name that transformers gives those of a family. */
function isOwnClass(name: string, family: string): boolean {
  const [, end] = /^(?:[\w./-]+\.)?(\w+)$/.exec(name) ?? []
  const begin = family.replaceAll('_', '').toLowerCase()
  return end !== undefined && new RegExp(`^${begin}(for[a-z]+|model|lmheadmodel)$`).test(end.toLowerCase())
}

/** Keys that any config may have with these values. */
export const harmless: Harmless = {
  is_encoder_decoder: only(false),
  add_cross_attention: only(false),
  tie_encoder_decoder: only(false),
  use_bfloat16: only(false),
  pruned_heads: empty,
  per_layer_config: empty,
  quantization_config: empty,
  // Code of its own may compute anything. Code for the config or the tokenizer computes nothing, and a model of the family's own
  // class (`modeling_phi3.Phi3ForCausalLM`) is from before transformers had it, and is what is computed here.
  auto_map: (value, { model_type }) =>
    typeof value === 'object' &&
    Object.entries(value!).every(
      ([key, name]) => !key.startsWith('AutoModel') || isOwnClass(String(name), String(model_type)),
    ),
}

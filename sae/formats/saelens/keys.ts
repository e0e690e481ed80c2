/**
 * The keys that a `cfg.json` of SAELens has had since its first version: which of them change what an SAE computes, and
 * which do not. What is in neither list is refused by name.
 */

/** Keys that are read. Those after `metadata` are of files before version 6, and of this project. */
export const readKeys = [
  ...['architecture', 'd_in', 'd_sae', 'd_out', 'k', 'rescale_acts_by_decoder_norm', 'apply_b_dec_to_input'],
  ...['normalize_activations', 'reshape_activations', 'metadata'],
  ...['activation_fn', 'activation_fn_str', 'activation_fn_kwargs', 'finetuning_scaling_factor', 'hook_point'],
  ...['hook_name', 'model_name', 'context_size', 'prepend_bos', 'dataset_path', 'hook_head_index', 'hook_name_out'],
  ...['hook_point_head_index', 'sae_lens_version', 'sites', 'layers'],
]

/** Keys of an SAE's training. */
const training = [
  ...['l1_coefficient', 'lp_norm', 'l1_warm_up_steps', 'l0_coefficient', 'l0_warm_up_steps', 'l1_loss_wd_norm'],
  ...['decoder_init_norm', 'jumprelu_init_threshold', 'jumprelu_bandwidth', 'jumprelu_sparsity_loss_mode'],
  ...['jumprelu_tanh_scale', 'jumprelu_ste_to_input', 'target_l0', 'pre_act_loss_coefficient', 'topk_threshold_lr'],
  ...['use_sparse_activations', 'aux_loss_coefficient', 'matryoshka_widths', 'use_matryoshka_aux_loss'],
  ...['normalize_sae_decoder', 'noise_scale', 'decoder_orthogonal_init', 'decoder_heuristic_init'],
  ...['decoder_heuristic_init_norm', 'init_encoder_as_decoder_transpose', 'mse_loss_normalization'],
  ...['scale_sparsity_penalty_by_decoder_norm', 'use_ghost_grads', 'b_dec_init_method', 'expansion_factor'],
  ...['finetuning_method', 'finetuning_tokens', 'feature_reinit_scale', 'feature_sampling_method', 'resample_batches'],
  ...['dead_feature_estimation_method', 'n_resampling_steps', 'adam_beta1', 'adam_beta2', 'lr', 'lr_end'],
  ...['lr_scheduler_name', 'lr_warm_up_steps', 'lr_decay_steps', 'n_restart_cycles', 'train_batch_size_tokens'],
  ...['train_batch_size', 'training_tokens', 'total_training_tokens', 'total_training_steps', 'dead_feature_window'],
  ...[
    'feature_sampling_window',
    'dead_feature_threshold',
    'n_batches_for_norm_estimate',
    'seed',
    'from_pretrained_path',
  ],
]

/** Keys of its data and of the model it was trained on. */
const data = [
  ...[
    'model_class_name',
    'model_kwargs',
    'model_from_pretrained_kwargs',
    'hook_eval',
    'hook_layer',
    'hook_point_layer',
  ],
  ...['hook_point_eval', 'hook_layer_out', 'hook_head_index_out', 'hf_hook_name', 'hf_hook_name_out', 'seqpos_slice'],
  ...[
    'dataset_trust_remote_code',
    'streaming',
    'is_dataset_tokenized',
    'use_chat_formatting',
    'use_cached_activations',
  ],
  ...['cached_activations_path', 'n_batches_in_buffer', 'store_batch_size_prompts', 'store_batch_size'],
  ...['tokens_per_buffer', 'disable_concat_sequences', 'sequence_separator_token', 'activations_mixing_fraction'],
  ...['exclude_special_tokens', 'prefetch_llm_batches', 'neuronpedia_id', 'sae_lens_training_version'],
]

/** Keys of the machine and of logging. */
const machine = [
  ...['dtype', 'device', 'llm_device', 'act_store_device', 'autocast', 'autocast_lm', 'compile_llm', 'compile_sae'],
  ...['llm_compilation_mode', 'sae_compilation_mode', 'logger', 'log_to_wandb', 'log_activations_store_to_wandb'],
  ...['log_optimizer_state_to_wandb', 'log_weights_to_wandb', 'wandb_project', 'wandb_id', 'wandb_entity', 'run_name'],
  ...['wandb_log_frequency', 'eval_every_n_wandb_logs', 'n_eval_batches', 'eval_batch_size_prompts', 'n_checkpoints'],
  ...['checkpoint_path', 'save_final_checkpoint', 'output_path', 'resume', 'resume_from_checkpoint', 'verbose'],
]

export const harmlessKeys = [...training, ...data, ...machine]

/** Tensors that count what happened in training. */
export const countingTensors = [
  ...['n_forward_passes', 'n_forward_passes_since_fired', 'act_freq_scores', 'n_frac_active_tokens'],
]

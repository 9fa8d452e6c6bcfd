-- A customer's grants are bounded: whoever asks for more forgets the oldest.
create index oauth_state_by_customer on oauth_state (customer_id, created_at);

-- W3C trace context of a message, written with it.
alter table outbox add column traceparent text not null default '';

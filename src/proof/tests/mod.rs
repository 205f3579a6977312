mod any_plan;
mod caller;
mod generated;
mod ladders;
mod picture;
mod refused;
mod replay;
mod sample;

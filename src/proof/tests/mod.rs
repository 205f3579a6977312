mod any_plan;
mod caller;
mod generated;
mod ladders;
mod refused;
mod replay;
mod sample;
